//! The commands, one file for each noun.

pub(crate) mod assurance;
pub(crate) mod attack;
pub(crate) mod bundle;
pub(crate) mod checkpoint;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod contract;
pub(crate) mod decision_gate;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod envelope;
pub(crate) mod fsck;
pub(crate) mod glossary;
pub(crate) mod ingest;
pub(crate) mod init;
pub(crate) mod man;
pub(crate) mod openclaw;
pub(crate) mod otel;
pub(crate) mod proof;
pub(crate) mod query;
pub(crate) mod segment;
pub(crate) mod signer;
