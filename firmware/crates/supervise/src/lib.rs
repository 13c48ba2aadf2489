//! Child processes: spawn, watch by pidfd, restart with back-off, capture logs, stop without orphans.
