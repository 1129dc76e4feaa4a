"""What a Python program needs of Recorder: clients of the sidecar, and a verifier of bundles.

    from recorder_client import Draft, RecorderClient

    with RecorderClient("http://127.0.0.1:8787", token_file="recorder-token") as client:
        client.record(Draft(event_type="tool.call", actor_id="agent", environment_id="staging", payload={"n": 1}))

Names are loaded when they are first used: `recorder_client.verify` needs `cryptography` and nothing else, and does not
bring the client along.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from recorder_client import models as models
    from recorder_client import selection as selection
    from recorder_client.archive_file import SavedBundle as SavedBundle
    from recorder_client.async_client import AsyncRecorderClient as AsyncRecorderClient
    from recorder_client.calls import Attachment as Attachment
    from recorder_client.calls import BuiltBundle as BuiltBundle
    from recorder_client.calls import Ingested as Ingested
    from recorder_client.calls import Recorded as Recorded
    from recorder_client.calls import RecordedBatch as RecordedBatch
    from recorder_client.client import RecorderClient as RecorderClient
    from recorder_client.contract import ProblemCode as ProblemCode
    from recorder_client.drafts import derived_salt as derived_salt
    from recorder_client.drafts import new_id as new_id
    from recorder_client.drafts import repeatable as repeatable
    from recorder_client.drafts import time_text as time_text
    from recorder_client.errors import ContractViolationError as ContractViolationError
    from recorder_client.errors import InvalidRequestError as InvalidRequestError
    from recorder_client.errors import ProblemError as ProblemError
    from recorder_client.errors import RecorderError as RecorderError
    from recorder_client.errors import RequestRefusedError as RequestRefusedError
    from recorder_client.errors import ServiceUnavailableError as ServiceUnavailableError
    from recorder_client.errors import TransportError as TransportError
    from recorder_client.errors import UnrecordedOutcomeError as UnrecordedOutcomeError
    from recorder_client.importing import BatchBounds as BatchBounds
    from recorder_client.importing import ImportResult as ImportResult
    from recorder_client.json_value import UnrepresentableError as UnrepresentableError
    from recorder_client.log_handler import RecorderHandler as RecorderHandler
    from recorder_client.models import Draft as Draft
    from recorder_client.models import Filter as Filter
    from recorder_client.models import Receipt as Receipt
    from recorder_client.retries import RetryPolicy as RetryPolicy
    from recorder_client.settings import Tls as Tls

_WHERE = {
    "AsyncRecorderClient": "async_client",
    "Attachment": "calls",
    "BatchBounds": "importing",
    "BuiltBundle": "calls",
    "ContractViolationError": "errors",
    "Draft": "models",
    "Filter": "models",
    "ImportResult": "importing",
    "Ingested": "calls",
    "InvalidRequestError": "errors",
    "ProblemCode": "contract",
    "ProblemError": "errors",
    "Receipt": "models",
    "Recorded": "calls",
    "RecordedBatch": "calls",
    "RecorderClient": "client",
    "RecorderError": "errors",
    "RecorderHandler": "log_handler",
    "RequestRefusedError": "errors",
    "RetryPolicy": "retries",
    "SavedBundle": "archive_file",
    "ServiceUnavailableError": "errors",
    "Tls": "settings",
    "TransportError": "errors",
    "UnrecordedOutcomeError": "errors",
    "UnrepresentableError": "json_value",
    "derived_salt": "drafts",
    "models": "models",
    "new_id": "drafts",
    "repeatable": "drafts",
    "selection": "selection",
    "time_text": "drafts",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of them
    """Loads a name when it is first used (PEP 562)."""
    module = _WHERE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    loaded = importlib.import_module(f"{__name__}.{module}")
    value = loaded if module == name else getattr(loaded, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Everything that can be loaded."""
    return sorted([*globals(), *_WHERE])
