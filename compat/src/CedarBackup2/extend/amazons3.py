"""The amazons3 extension, done by cedarchest: `executeAction(configPath, options, config)`."""

from CedarBackup3.extend.amazons3 import *
