"""`app.yaml`: the server's own settings, and the secrets that it names.

    settings = load(Path("app.yaml"), os.environ)
    settings.forges[0].token.reveal()        what {env: GITHUB_TOKEN} stands for
    print(settings)                          … token=<secret, env GITHUB_TOKEN> …

A secret is `{env: NAME}` or `{file: PATH}`; one that is written out is refused. One that cannot be read is an error only for
who needs it: `reveal` raises, and `settings.missing` names them all. Relative paths begin at the folder of the file.
"""

from __future__ import annotations

from bot.settings.loading import FILE, BadSettings, load, parse
from bot.settings.secrets import MissingSecret, Secret
from bot.settings.values import (
    ForgeSettings,
    GitHubApp,
    GitHubSettings,
    GitLabSettings,
    GitSettings,
    Hook,
    Manifest,
    Mode,
    Notice,
    Settings,
    Topic,
    TrustedProxy,
)

__all__ = [
    "FILE",
    "BadSettings",
    "ForgeSettings",
    "GitHubApp",
    "GitHubSettings",
    "GitLabSettings",
    "GitSettings",
    "Hook",
    "Manifest",
    "MissingSecret",
    "Mode",
    "Notice",
    "Secret",
    "Settings",
    "Topic",
    "TrustedProxy",
    "load",
    "parse",
]
