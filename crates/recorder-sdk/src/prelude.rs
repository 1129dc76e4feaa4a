//! What nearly every program needs.

pub use crate::{
    Attachment, AutoSeal, EnvelopeFilter, Event, Recorder, RecorderBuilder, SecretKey, Selector,
    StoreKind, TrustRoot,
};
