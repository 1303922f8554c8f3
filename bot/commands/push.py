"""`tagboat push IMAGE:TAG --server URL`: a pipeline says "I just pushed this". The same as a webhook of the registry.

    TAGBOAT_TOKEN=… tagboat push harbor.example.com/team/web:1.4.2 --server https://tagboat.example.com

The token is the `webhook_secret` of the registry's row in the server's settings.
"""

from __future__ import annotations

import asyncio
import os

from bot.terminal import DONE, FAILED, UsageError, complain, say
from rules.images import BadReference, ImageRef

TOKEN = "TAGBOAT_TOKEN"  # noqa: S105
_SECONDS = 20


def push(image: str, /, *, server: str) -> int:
    """Tell a server that an image was pushed; exit 1 where it could not be told.

    Parameters
    ----------
    image
        The image with its tag, as it was pushed.
    server
        The server's address, as `https://tagboat.example.com`.
    """
    try:
        ref = ImageRef.parse(image)
    except BadReference as error:
        raise UsageError(str(error)) from None
    if ref.tag is None and ref.digest is None:
        raise UsageError(f"{image}: name the tag that was pushed, as in {image}:1.4.2")
    if not server.startswith(("https://", "http://")):
        raise UsageError(f"--server {server}: an address begins with https://")
    token = os.environ.get(TOKEN)
    if not token:
        raise UsageError(
            f"the environment variable {TOKEN} is not set: it is the webhook_secret of {ref.registry} in the server's settings"
        )
    return asyncio.run(_tell(ref, server.rstrip("/"), token))


async def _tell(ref: ImageRef, server: str, token: str) -> int:
    import aiohttp

    payload = {"image": ref.repository, "tag": ref.tag, "digest": ref.digest}
    url = f"{server}/webhooks/registry/{ref.registry}"
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.post(url, json=payload, headers={"Authorization": f"Bearer {token}"}, allow_redirects=False) as answer,
        ):
            words = (await answer.text())[:200].strip()
            if answer.status == 202:
                say(f"told: {words}")
                return DONE
            complain(f"{server} answered {answer.status}: {words}")
    except (aiohttp.ClientError, TimeoutError) as error:
        complain(f"{server} could not be told: {str(error) or type(error).__name__}")
    return FAILED
