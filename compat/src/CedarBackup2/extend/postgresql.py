"""The postgresql extension, done by cedarchest: `executeAction(configPath, options, config)`."""

from CedarBackup3.extend.postgresql import *
