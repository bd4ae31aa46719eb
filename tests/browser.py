"""A headless Chromium, spoken to over two pipes (the DevTools protocol); it has no port, and reaches this host alone.

A browser that is asked for nothing but a page's address cannot be made as narrow as a phone: that is an emulation.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

PROGRAM: Final = shutil.which("chromium")
_OPTIONS: Final = (
    "--headless=new", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--disable-features=Translate,OptimizationHints,MediaRouter", "--mute-audio", "--hide-scrollbars",
    "--disable-lcd-text",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost", "--remote-debugging-pipe",
)  # fmt: skip
# Chromium reads what it is told from 3 and answers on 4.
_STARTER: Final = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """One tab.  Make it with :func:`opened`."""

    def __init__(self, told: Any, heard: Any) -> None:
        self._told = told
        self._heard = heard
        self._number = 0
        self._session: str | None = None
        self._events: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable")

    def ask(self, method: str, **facts: Any) -> dict[str, Any]:
        """What the browser answers to a call of the protocol; events that come before that are remembered by name."""
        self._number += 1
        call = {"id": self._number, "method": method, "params": facts}
        if self._session is not None:
            call["sessionId"] = self._session
        self._told.write(json.dumps(call).encode() + b"\0")
        self._told.flush()
        while True:
            message = self._next()
            if message.get("id") == self._number:
                assert "error" not in message, message
                answer: dict[str, Any] = message["result"]
                return answer
            self._events.append(message.get("method", ""))

    def _next(self) -> dict[str, Any]:
        parts = bytearray()
        while (byte := self._heard.read(1)) != b"\0":
            assert byte, "the browser ended"
            parts += byte
        message: dict[str, Any] = json.loads(parts)
        return message

    def wait_for_page(self) -> None:
        """Wait until the page that was asked for is there whole."""
        while "Page.loadEventFired" not in self._events:
            self._events.append(self._next().get("method", ""))
        self._events.clear()

    def look(self, width: int, height: int, *, dark: bool = False) -> None:
        """Be a screen of so many pixels, a phone's if it is narrow."""
        facts = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("Emulation.setDeviceMetricsOverride", **facts)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def headers(self, **headers: str) -> None:
        """Show these with every request."""
        self.ask("Network.enable")
        self.ask("Network.setExtraHTTPHeaders", headers=headers)

    def go(self, address: str) -> None:
        """Open a page."""
        self._events.clear()
        self.ask("Page.navigate", url=address)
        self.wait_for_page()

    def tell(self, script: str) -> Any:
        """What an expression is on the page."""
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press a key as a person does."""
        facts = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        down = {"type": "keyDown", **facts, **({"text": text} if text else {})}
        self.ask("Input.dispatchKeyEvent", **down)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **facts)

    def write(self, text: str) -> None:
        """Type into the field that has the focus."""
        self.ask("Input.insertText", text=text)

    def picture(self) -> bytes:
        """What is to be seen, as PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])


@contextmanager
def opened(profile: Path) -> Iterator[Browser]:
    """A browser with a profile of its own, for the time of the block."""
    assert PROGRAM is not None, "chromium is missing; scripts/prepare test names it"
    profile.mkdir(parents=True, exist_ok=True)
    ours, theirs = os.pipe(), os.pipe()
    words = [PROGRAM, *_OPTIONS, f"--user-data-dir={profile}", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with (profile / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", _STARTER, str(theirs[0]), str(ours[1]), *words],
            pass_fds=(theirs[0], ours[1]),
            env={**os.environ, "HOME": str(profile), "XDG_CONFIG_HOME": str(profile), "XDG_CACHE_HOME": str(profile)},
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    os.close(theirs[0])
    os.close(ours[1])
    try:
        with os.fdopen(theirs[1], "wb") as told, os.fdopen(ours[0], "rb") as heard:
            browser = Browser(told, heard)
            yield browser
            browser._session = None
            browser.ask("Browser.close")
    finally:
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
