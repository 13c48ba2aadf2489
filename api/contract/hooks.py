"""What the requests of a contract test must leave alone, and what they have to wait for."""

import json
import os
import time
import urllib.error
import urllib.request

import schemathesis

OWNER = os.environ["EDGECAM_OWNER"]
OWN_TOKEN = os.environ["EDGECAM_TOKEN_ID"]
TOKEN = os.environ["EDGECAM_TOKEN"]
STATUS = os.environ["EDGECAM_URL"] + "/api/v1/settings/status"
NOBODY = "nobody"
LONGEST_S = 60

# Offers and candidates of WebRTC are text.
for sdp in ("application/sdp", "application/trickle-ice-sdpfrag"):
    schemathesis.serializer.alias(sdp, "text/plain")

# A part of a bundle is bytes.
schemathesis.serializer.alias("application/partial-upload", "application/octet-stream")


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Wrong passwords lock an address out, as they should: they are tried by tests of their own."""
    for item in raw_schema["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict) and "security" in operation:
                operation["security"] = [
                    way for way in operation["security"] if "password" not in way
                ]


@schemathesis.hook
def before_call(context, case, kwargs):
    """Its own user and its own token stay as they are, and so does the device."""
    if case.operation.definition.raw.get("operationId") == "reset_system":
        if isinstance(case.body, dict) and "confirm" in case.body:
            case.body = {**case.body, "confirm": NOBODY}
    path = case.path_parameters or {}
    if path.get("user") == OWNER:
        path["user"] = NOBODY
    if path.get("token") == OWN_TOKEN:
        path["token"] = NOBODY


@schemathesis.hook
def after_call(context, case, response):
    """A change of settings may make the daemon start again."""
    if case.method.upper() != "GET" and response.status_code in (200, 201, 202, 503):
        settle(time.monotonic() + LONGEST_S)


def settle(deadline):
    request = urllib.request.Request(STATUS, headers={"Authorization": f"Bearer {TOKEN}"})
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                if json.load(answer)["applying"] is None:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.05)
