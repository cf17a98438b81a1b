"""The mysql extension, done by cedarchest: `executeAction(configPath, options, config)`."""

from CedarBackup3.extend.mysql import *
