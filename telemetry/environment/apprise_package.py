"""The optional package `apprise`, loaded where a channel needs it."""

import importlib
import logging
import warnings
from importlib.util import find_spec
from typing import Any


def is_installed() -> bool:
    return find_spec("apprise") is not None


def services_of(urls: list[str]) -> list[Any]:
    """Apprise's service for each URL; None for one that it does not know. Its logger, which writes URLs, is switched off."""
    logging.getLogger("apprise").disabled = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports modules of Python that are deprecated
        library = importlib.import_module("apprise")
        asset = library.AppriseAsset(async_mode=False, storage_mode="memory")
        return [library.Apprise.instantiate(url, asset=asset) for url in urls]
