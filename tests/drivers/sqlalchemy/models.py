"""The tables of an application that uses SQLAlchemy and SQLModel."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlmodel import Field, SQLModel


class Base(DeclarativeBase):
    pass


class Mood(enum.Enum):
    CALM = "calm"
    HAPPY = "happy"


tags = sa.Table(
    "sa_book_tags",
    Base.metadata,
    sa.Column("book_id", sa.ForeignKey("sa_books.id"), primary_key=True),
    sa.Column("tag", sa.String(20), primary_key=True),
)


class Author(Base):
    __tablename__ = "sa_authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(sa.String(50), unique=True)
    mood: Mapped[Mood | None] = mapped_column(sa.Enum(Mood, name="sa_mood"))
    born: Mapped[dt.date | None]
    books: Mapped[list[Book]] = relationship(back_populates="author", order_by="Book.id")


class Book(Base):
    __tablename__ = "sa_books"
    __table_args__ = (sa.Index("sa_books_by_price", "price"), sa.CheckConstraint("price >= 0", name="sa_price"))
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("sa_authors.id"))
    title: Mapped[str]
    price: Mapped[Decimal] = mapped_column(sa.Numeric(10, 2))
    version: Mapped[int] = mapped_column()
    author: Mapped[Author] = relationship(back_populates="books")
    __mapper_args__ = {"version_id_col": version}


class Everything(Base):
    """One column of each type that applications use."""

    __tablename__ = "sa_everything"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    flag: Mapped[bool]
    small: Mapped[int] = mapped_column(sa.SmallInteger)
    large: Mapped[int] = mapped_column(sa.BigInteger)
    ratio: Mapped[float]
    amount: Mapped[Decimal] = mapped_column(sa.Numeric(20, 4))
    words: Mapped[str] = mapped_column(sa.Text)
    raw: Mapped[bytes]
    day: Mapped[dt.date]
    clock: Mapped[dt.time]
    local: Mapped[dt.datetime]
    instant: Mapped[dt.datetime] = mapped_column(sa.DateTime(timezone=True))
    span: Mapped[dt.timedelta]
    plain: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    binary: Mapped[dict[str, Any]] = mapped_column(pg.JSONB)
    numbers: Mapped[list[int]] = mapped_column(pg.ARRAY(sa.Integer))
    names: Mapped[list[str]] = mapped_column(pg.ARRAY(sa.String))
    moods: Mapped[list[Mood]] = mapped_column(pg.ARRAY(sa.Enum(Mood, name="sa_mood")))
    nothing: Mapped[str | None]
    made: Mapped[dt.datetime] = mapped_column(sa.DateTime(timezone=True), server_default=sa.func.now())


class Hero(SQLModel, table=True):
    __tablename__ = "sa_heroes"
    id: int | None = Field(default=None, primary_key=True)
    label: str = Field(index=True)
    power: Decimal = Field(default=Decimal(0), max_digits=8, decimal_places=2)
    joined: dt.date | None = None
