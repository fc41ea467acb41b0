//! On whose behalf a request runs.
