"""A webhook whose server is killed while it calls is called by the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psutil

from .conftest import Host
from .receiver import receiving


def test_a_call_survives_a_killed_server(host: Host, until: Callable[..., None]) -> None:
    cut = threading.Event()
    record = host.start()
    with receiving() as receiver, host.api(record) as api:
        receiver.answers = [500, 200]
        receiver.before = lambda _handler: len(receiver.told) == 2 and cut.wait(60)
        table = "a,b\n" + "".join(f"{row},{row % 7}\n" for row in range(120))
        made = api.post(
            "/compute/upload_with_new_session/",
            files={"file": ("table.csv", table)},
            data={"webhooks": f'{{"training_finished": "{receiver.url}"}}', "epochs": "1"},
        ).json()
        path = f"/compute/session/{made['session_id']}"
        api.post(f"{path}/cancel", json={})
        until(lambda: len(receiver.told) == 2, 60)  # one has failed, one waits for its answer
        server = psutil.Process(record.pid)
        server.kill()
        server.wait(10)
        cut.set()
        with host.api(host.start()) as again:

            def entry() -> dict[str, Any]:
                answer = again.get(f"{path}/webhook_deliveries").json()
                (found,) = answer["deliveries"]
                return dict(found)

            until(lambda: len(receiver.told) == 3)
            until(lambda: entry()["status"] == "delivered")
            assert [one["status_code"] for one in entry()["tries"]] == [500, 200]
            assert entry()["id"] == receiver.told[0].headers["X-Featrix-Delivery"]
    assert len({call.headers["X-Featrix-Delivery"] for call in receiver.told}) == 1
