"""The preset `pii`: data about people, by name and by shape. What could as well be an id or a time is left alone."""

from __future__ import annotations

import re
from typing import Final

from timetracer_otel.redaction.markers import Mark
from timetracer_otel.redaction.shapes import Expression, Match, Shape, always, replaced

PERSONAL_NAMES: Final = (
    *("email", "e_mail", "mail", "email_address", "user_email", "customer_email", "contact_email"),
    *("phone", "phone_number", "telephone", "telephone_number", "mobile", "mobile_number", "mobile_phone"),
    *("cell_phone", "home_phone", "work_phone", "fax", "fax_number"),
    *("first_name", "last_name", "middle_name", "given_name", "family_name", "maiden_name", "full_name", "surname"),
    *("date_of_birth", "birth_date", "birthdate", "birthday", "birth_place", "place_of_birth", "dob"),
    *("street", "street_name", "street_address", "house_number", "postal_address", "home_address"),
    *("billing_address", "shipping_address", "delivery_address", "address_line", "address_line1", "address_line2"),
    *("address_line3", "address1", "address2", "postal_code", "postcode", "zip_code", "zip", "city"),
    *("ssn", "social_security_number", "national_id", "national_insurance_number", "tax_id", "tax_number"),
    *("passport", "passport_number", "driver_license", "drivers_license", "driver_license_number", "id_card_number"),
    *("iban", "bank_account", "bank_account_number", "account_number", "routing_number", "sort_code"),
    *("card_number", "credit_card", "credit_card_number", "debit_card_number", "cc_number", "card_holder"),
    *("cardholder_name", "cvv", "cvv2", "cvc", "cvc2", "card_cvc", "card_cvv", "card_code", "security_code"),
)

_EMAIL: Final = re.compile(
    rb"(?<![A-Za-z0-9._%+-])(?P<value>[A-Za-z0-9_%+-][A-Za-z0-9._%+-]{0,63}"
    rb"@(?:[A-Za-z0-9-]{1,63}\.){1,8}(?!(?i:png|jpe?g|gif|svg|webp|avif|css|js|ts|map|py|so)(?![A-Za-z0-9]))[A-Za-z]{2,24})"
    rb"(?![A-Za-z0-9-])"
)
_IBAN: Final = re.compile(
    rb"(?<![A-Za-z0-9])(?P<value>[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?)(?![A-Za-z0-9])"
)
# Sixteen digits in fours, fifteen of American Express; the first ones are those that issuers have.
_CARD: Final = re.compile(
    rb"(?<![\w.+-])(?P<value>"
    rb"(?=4|5[1-5]|2(?:2[2-9]|[3-6]|7[01]|720)|6(?:011|2|4[4-9]|5)|35(?:2[89]|[3-8]))"
    rb"\d{4}(?P<gap>[ -]?)\d{4}(?P=gap)\d{4}(?P=gap)\d{4}"
    rb"|3[47]\d\d(?P<amex_gap>[ -]?)\d{6}(?P=amex_gap)\d{5})(?![\w-]|\.\d)"
)
_PHONE: Final = re.compile(rb"(?<![\w+])(?P<value>\+[1-9](?:[ ().-]{0,2}\d){7,14})(?![\w-]|\.\d)")
_MAY_HOLD: Final = re.compile(r"\d\d|\+\d")


def personal_shapes() -> tuple[Shape, ...]:
    """The rules in the order in which they go over the data."""
    return (
        Expression((b"@",), _EMAIL, always("email")),
        Expression((), _IBAN, _iban),
        Expression((), _CARD, _card),
        Expression((b"+",), _PHONE, always("phone")),
    )


def may_hold_personal(view: str) -> bool:
    """False if none of the shapes can be in `view`."""
    return "@" in view or _MAY_HOLD.search(view) is not None


def _iban(match: Match, mark: Mark) -> bytes:
    """ISO 13616: the check digits of what is none would have to fit by chance, once in 97."""
    text = match["value"].replace(b" ", b"").decode()
    number = "".join(str(int(character, 36)) for character in text[4:] + text[:4])
    return replaced(match, "value", mark("iban", match["value"])) if int(number) % 97 == 1 else match[0]


def _card(match: Match, mark: Mark) -> bytes:
    digits = [byte - 48 for byte in reversed(match["value"]) if byte in b"0123456789"]
    luhn = sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return replaced(match, "value", mark("card_number", match["value"])) if luhn % 10 == 0 else match[0]
