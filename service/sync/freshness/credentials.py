"""When the credentials of the marketplaces expire: a token of Wildberries says it, Ozon is asked and its answer stored."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from service.database.freshness_tables import CredentialExpiryRow
from service.database.upsert import insert_into
from service.integrations.wildberries.credentials import WildberriesToken
from service.names import OZON, WB
from service.settings import Settings

VARIABLES: Final[Mapping[str, str]] = {WB: "WB_API_TOKEN", OZON: "OZON_API_KEY"}


def ozon_fingerprint(settings: Settings) -> str | None:
    """Tells the credentials of Ozon from others; None if there are none."""
    if settings.ozon_client_id is None or settings.ozon_api_key is None:
        return None
    text = f"{settings.ozon_client_id}:{settings.ozon_api_key.get_secret_value()}"
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def store_ozon_expiry(session: Session, settings: Settings, expires_at: datetime | None, now: datetime) -> None:
    """Store what Ozon said of the credentials in the settings. Does not commit."""
    if (fingerprint := ozon_fingerprint(settings)) is None:
        return
    values = {"fingerprint": fingerprint, "expires_at": expires_at, "checked_at": now}
    insert = insert_into(session, CredentialExpiryRow).values(service=OZON, **values)
    session.execute(insert.on_conflict_do_update(index_elements=[CredentialExpiryRow.service], set_=values))


def known_expiries(session: Session, settings: Settings) -> dict[str, datetime]:
    """When the credentials in the settings expire, by service; without those that do not expire, or do not say."""
    found = {WB: _of_wildberries(settings), OZON: _of_ozon(session, settings)}
    return {service: expires_at for service, expires_at in found.items() if expires_at is not None}


def _of_wildberries(settings: Settings) -> datetime | None:
    token = settings.wb_api_token
    return None if token is None else WildberriesToken.parse(token.get_secret_value()).expires_at


def _of_ozon(session: Session, settings: Settings) -> datetime | None:
    """None for credentials that were replaced since Ozon was asked."""
    row = session.get(CredentialExpiryRow, OZON)
    return row.expires_at if row is not None and row.fingerprint == ozon_fingerprint(settings) else None
