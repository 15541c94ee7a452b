"""What an application does with SQLAlchemy 2, whichever driver is below: each takes an engine and gives what it saw.

Async engines run them too (`child`), through the greenlet that SQLAlchemy itself uses.
"""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import Session, joinedload, selectinload
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import Session as ModelSession
from sqlmodel import SQLModel, select

from tests.drivers.sqlalchemy.models import Author, Base, Book, Everything, Hero, Mood, tags

ROWS = 2500
"""More than one page of insertmanyvalues, and more than one of a server-side cursor."""


def schema(engine: sa.Engine) -> Any:
    """Tables, an enum type and indexes: SQLAlchemy looks first what there is."""
    for metadata in (Base.metadata, SQLModel.metadata):
        metadata.drop_all(engine)
        metadata.create_all(engine)
    Base.metadata.create_all(engine)
    return sorted(name for name in sa.inspect(engine).get_table_names() if name.startswith("sa_"))


def inserts(engine: sa.Engine) -> Any:
    """One row, many rows with RETURNING in one statement, rows without, ON CONFLICT."""
    authors = sa.insert(Author)
    given: list[Any] = []
    with engine.begin() as connection:
        one = connection.execute(authors, {"label": "first", "mood": Mood.CALM, "born": dt.date(1990, 2, 28)})
        given.append(one.inserted_primary_key)
        rows = [{"label": f"author {i}", "mood": None} for i in range(ROWS)]
        many = connection.execute(authors.returning(Author.id, Author.label, sort_by_parameter_order=True), rows)
        given.append(many.all())
        again = pg.insert(Author).values(label="first")
        upsert = again.on_conflict_do_update(index_elements=["label"], set_={"mood": Mood.HAPPY})
        given.append(connection.execute(upsert.returning(Author.mood)).all())
        given.append(connection.execute(again.on_conflict_do_nothing()).rowcount)
    return given


def core(engine: sa.Engine) -> Any:
    """Selects of all kinds, updates and deletes with RETURNING, text with parameters, expanding IN."""
    given: list[Any] = []
    with engine.connect() as connection:
        few = sa.select(Author.id, Author.label).where(Author.id.in_([1, 2, 3])).order_by(Author.id)
        given.append(connection.execute(few).mappings().all())
        given.append(connection.execute(sa.select(Author.id).where(Author.id.in_([]))).all())
        given.append(connection.scalar(sa.select(sa.func.count()).select_from(Author)))
        window = sa.func.row_number().over(order_by=Author.id.desc())
        numbered = sa.select(Author.id, window.label("n")).cte("numbered")
        given.append(connection.execute(sa.select(numbered).where(numbered.c.n < 4)).all())
        spoken = sa.text("select :a + 1 as a, cast(:b as text) as b").columns(a=sa.Integer, b=sa.String)
        given.append(connection.execute(spoken, {"a": 41, "b": "é"}).one()._asdict())
        changed = sa.update(Author).where(Author.id == 2).values(label=Author.label + "!").returning(Author.label)
        given.append(connection.execute(changed).scalar_one())
        bound = sa.update(Author).where(Author.id == sa.bindparam("which")).values(label=sa.bindparam("new"))
        given.append(connection.execute(bound, [{"which": 3, "new": "three"}, {"which": 4, "new": "four"}]).rowcount)
        given.append(connection.execute(sa.delete(Author).where(Author.id == 5).returning(Author.id)).all())
        locked = sa.select(Author.id).where(Author.id == 1).with_for_update(skip_locked=True)
        given.append(connection.execute(locked).all())
        connection.rollback()
        given.append(connection.execute(sa.select(Author.label).where(Author.id == 2)).scalar())
    return given


def types(engine: sa.Engine) -> Any:
    """A row of every type, written and read by the ORM, and looked for by its values."""
    values: dict[str, Any] = {
        "id": uuid.UUID("6f1c9a52-3b1e-4b43-9f61-5a2b4b1f0d3e"),
        "flag": True,
        "small": -3,
        "large": 9007199254740993,
        "ratio": 0.1,
        "amount": Decimal("12345.6700"),
        "words": "wörter \U0001f600 ' \\ %",
        "raw": b"\x00\xff",
        "day": dt.date(2024, 2, 29),
        "clock": dt.time(12, 30, 1, 500),
        "local": dt.datetime(2024, 2, 29, 12, 30, 1, 5),
        "instant": dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.timezone(dt.timedelta(hours=2))),
        "span": dt.timedelta(days=1, seconds=2, microseconds=3),
        "plain": {"a": [1, None, "é"], "b": {"c": 1.5}},
        "binary": {"nested": {"list": [1, 2]}, "text": "x"},
        "numbers": [1, 2, 3],
        "names": ["a", 'b"', "c,d"],
        "moods": [Mood.HAPPY, Mood.CALM],
    }
    given: list[Any] = []
    with Session(engine) as session:
        session.add(Everything(**values))
        session.commit()
        row = session.scalars(sa.select(Everything)).one()
        given.append({name: getattr(row, name) for name in [*values, "nothing", "made"]})
        for name in ("id", "large", "amount", "words", "raw", "day", "clock", "local", "instant", "span", "numbers"):
            found = sa.select(Everything.flag).where(getattr(Everything, name) == values[name])
            given.append((name, session.execute(found).all()))
        inside = sa.select(Everything.binary["nested"]["list"][0].as_integer(), Everything.names[2])
        wanted = Everything.binary.contains({"text": "x"}), Everything.numbers.any(2)  # type: ignore[arg-type]
        given.append(session.execute(inside.where(*wanted)).all())
        row.binary, row.moods = {"changed": True}, []
        session.commit()
        given.append((row.binary, row.moods))
    return given


def orm(engine: sa.Engine) -> Any:
    """Relationships, lazily and eagerly loaded; a flush of many; bulk statements; versions that collide."""
    given: list[Any] = []
    with Session(engine) as session:
        first = Author(label="orm", mood=Mood.HAPPY, born=dt.date(1960, 1, 1))
        first.books = [Book(title=f"book {i}", price=Decimal(i) / 4) for i in range(5)]
        session.add_all([first, Author(label="no books", mood=None)])
        session.commit()
        given.append((first.id, [(book.id, book.title, book.price) for book in first.books]))
    with Session(engine) as session:
        for option in (selectinload(Author.books), joinedload(Author.books)):
            found = session.scalars(sa.select(Author).where(Author.label.like("%o%")).options(option).limit(3)).unique()
            given.append([(author.label, [book.title for book in author.books]) for author in found])
        session.expunge_all()
        book = session.get(Book, 1)
        assert book is not None
        given.append((book.author.label, book.author.mood, session.get(Book, 77)))
        session.execute(sa.update(Book).where(Book.price > 1).values(price=Book.price * 2))
        session.bulk_insert_mappings(Book.__mapper__, [{"author_id": 1, "title": "bulk", "price": 1, "version": 1}] * 3)
        session.execute(sa.insert(tags), [{"book_id": 1, "tag": each} for each in ("x", "y")])
        given.append(session.scalars(sa.insert(Book).returning(Book.id), _books()).all())
        session.commit()
        given.append(session.execute(sa.select(Book.id, Book.title, Book.price).order_by(Book.id)).all())
        session.delete(session.get(Book, 2))
        session.commit()
    given.append(_stale(engine))
    return given


def _books() -> list[dict[str, Any]]:
    return [{"author_id": 1, "title": f"t{i}", "price": i, "version": 1} for i in range(3)]


def _stale(engine: sa.Engine) -> Any:
    with Session(engine) as mine, Session(engine) as theirs:
        book, same = mine.get(Book, 3), theirs.get(Book, 3)
        assert book is not None
        assert same is not None
        same.title = "theirs"
        theirs.commit()
        book.title = "mine"
        try:
            mine.commit()
        except StaleDataError as error:
            mine.rollback()
            return str(error), book.title
    return None


def streams(engine: sa.Engine) -> Any:
    """Server-side cursors: by the options of a statement and of a connection, in pages, given up half way."""
    few = sa.select(Author.id).order_by(Author.id)
    with engine.connect() as connection:
        paged = connection.execute(few, execution_options={"yield_per": 500})
        given: list[Any] = [[len(page) for page in paged.partitions()]]
        flowing = connection.execution_options(stream_results=True, max_row_buffer=100).execute(few.limit(300))
        given.append([row.id for row in flowing])
        half = connection.execute(few, execution_options={"stream_results": True})
        given.append(half.fetchmany(3))
        half.close()
        given.append(connection.execute(few.limit(1)).scalar())
    with Session(engine) as session:
        authors = session.scalars(sa.select(Author).order_by(Author.id), execution_options={"yield_per": 1000})
        given.append(sum(author.id for author in authors))
    return given


def transactions(engine: sa.Engine) -> Any:
    """Savepoints, an IntegrityError and the rollback after it, isolation levels, autocommit, read only."""
    given: list[Any] = []
    with Session(engine) as session:
        session.add(Author(label="kept", mood=None))
        session.flush()
        for label in ("first", "new"):
            try:
                with session.begin_nested():
                    session.add(Author(label=label, mood=None))
            except sa.exc.IntegrityError as error:
                given.append((type(error.orig).__name__, "sa_authors_label_key" in str(error.orig)))
        session.commit()
        try:
            session.add(Author(label="kept", mood=None))
            session.commit()
        except sa.exc.IntegrityError:
            session.rollback()
        wanted = sa.select(Author.id, Author.label).where(Author.label.in_(["kept", "new", "first"]))
        given.append(session.execute(wanted.order_by(Author.id)).all())
    for level in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"):
        with engine.connect().execution_options(isolation_level=level) as connection:
            shown = connection.exec_driver_sql("show transaction_isolation").scalar()
            given.append((level, shown, connection.get_isolation_level()))
    with engine.connect().execution_options(isolation_level="SERIALIZABLE", postgresql_readonly=True) as connection:
        try:
            connection.execute(sa.insert(Author).values(label="never"))
        except sa.exc.DBAPIError as error:
            given.append((type(error).__name__, type(error.orig).__name__))
    given.append(_nested(engine))
    return given


def _nested(engine: sa.Engine) -> Any:
    with engine.connect() as connection, connection.begin():
        outer = connection.begin_nested()
        connection.execute(sa.insert(Author).values(label="outer"))
        inner = connection.begin_nested()
        connection.execute(sa.insert(Author).values(label="inner"))
        inner.rollback()
        outer.commit()
        return connection.scalars(sa.select(Author.label).where(Author.label.in_(["outer", "inner"]))).all()


def two_phases(engine: sa.Engine) -> Any:
    """A transaction that is prepared, found again and committed; and one that SQLAlchemy names by chance."""
    given: list[Any] = []
    with engine.connect() as connection:
        unnamed = connection.begin_twophase()
        connection.execute(sa.insert(Author).values(label="two phases unnamed"))
        unnamed.prepare()
        unnamed.commit()
    for end in ("commit", "rollback"):
        with engine.connect() as connection:
            transaction = connection.begin_twophase(f"sa-{end}")
            connection.execute(sa.insert(Author).values(label=f"two phases {end}"))
            transaction.prepare()
            getattr(transaction, end)()
    with engine.connect() as connection:
        given.append(connection.recover_twophase())
        given.append(connection.scalars(sa.select(Author.label).where(Author.label.like("two phases%"))).all())
    return given


def errors(engine: sa.Engine) -> Any:
    """What SQLAlchemy makes of the server's errors, and that the connection works afterwards."""
    given: list[Any] = []
    wrong = ("selekt 1", "select * from nowhere", "select 1/0", "select 'x'::int", "select 1 from sa_books group by 2")
    with engine.connect() as connection:
        for statement in wrong:
            try:
                connection.exec_driver_sql(statement)
            except sa.exc.DBAPIError as error:
                connection.rollback()
                given.append((type(error).__name__, type(error.orig).__name__, error.connection_invalidated))
        try:
            connection.execute(sa.select(Author.id).where(Author.id == 1)).scalar_one()
            connection.execute(sa.select(Author.id).where(Author.id == -1)).scalar_one()
        except sa.exc.NoResultFound as none:
            given.append(str(none))
        given.append(connection.scalar(sa.text("select 7")))
    return given


def reflection(engine: sa.Engine) -> Any:
    """`MetaData.reflect` and the inspector: dozens of large questions to the catalogue."""
    reflected = sa.MetaData()
    reflected.reflect(engine, only=["sa_authors", "sa_books", "sa_book_tags"])
    inspector = sa.inspect(engine)
    given: list[Any] = [
        (table.name, [(each.name, repr(each.type), each.nullable) for each in table.columns], sorted(_keys(table)))
        for table in reflected.sorted_tables
    ]
    given.append([each["name"] for each in inspector.get_indexes("sa_books")])
    given.append(inspector.get_check_constraints("sa_books"))
    given.append(inspector.get_foreign_keys("sa_books"))
    given.append((inspector.has_table("sa_books"), inspector.has_table("sa_nowhere")))
    return given


def _keys(table: sa.Table) -> list[str]:
    return [str(each.target_fullname) for each in table.foreign_keys]


def sqlmodel(engine: sa.Engine) -> Any:
    """SQLModel's sessions and models."""
    given: list[Any] = []
    with ModelSession(engine) as session:
        heroes = [Hero(label=f"hero {i}", power=Decimal(i) / 8, joined=dt.date(2020, 1, i + 1)) for i in range(4)]
        session.add_all(heroes)
        session.commit()
        for hero in heroes:
            session.refresh(hero)
        given += [columns(hero) for hero in heroes]
        strong = session.exec(select(Hero).where(Hero.power > Decimal("0.2")).order_by(Hero.label))
        given.append([columns(hero) for hero in strong])
        hero = session.exec(select(Hero).where(Hero.label == "hero 1")).one()
        hero.power = Decimal("9.5")
        session.add(hero)
        session.commit()
        session.refresh(hero)
        given.append(columns(hero))
        session.delete(hero)
        session.commit()
        given.append(session.exec(select(Hero.id)).all())
    return given


def columns(hero: Hero) -> Any:
    """SQLModel's own order of them is that of a set."""
    return sorted(hero.model_dump().items())


SCENARIOS = (
    schema,
    inserts,
    core,
    types,
    orm,
    streams,
    transactions,
    two_phases,
    errors,
    reflection,
    sqlmodel,
)
"""In this order: those that come first make what the others read."""
