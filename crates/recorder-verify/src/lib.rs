//! Offline verification of bundles: seven phases, five answers, one verdict. No store, no clock, no network.
