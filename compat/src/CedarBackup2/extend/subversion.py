"""The subversion extension, done by cedarchest: `executeAction(configPath, options, config)`."""

from CedarBackup3.extend.subversion import *
