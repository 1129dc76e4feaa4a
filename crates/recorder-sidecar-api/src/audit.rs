//! What the sidecar records of itself: the stream, the event types, how often, and what their payloads hold.
//!
//! Deliberately absent: anything that a request brought along but the class of who sent it. Neither a token nor a
//! hash of a wrong one is ever in such an envelope.

/// The tenant whose stream holds these events. Nobody records into it through HTTP.
pub const TENANT: &str = "system";

/// Seconds between two envelopes of one type, but for those of a start and of a stop.
pub const WINDOW_SECONDS: u64 = 60;

/// Entries of the longest list in a payload.
pub const ENTRIES_MAX: usize = 128;

/// Peers that are named beside a count of refused tokens.
pub const PEERS_MAX: usize = 32;

/// When an event is recorded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Occasion {
    /// At a start, before anything listens.
    Start,
    /// At once, then at most once a window, with what was counted meanwhile.
    Counted,
    /// At most once a window, and at the stop; what a payload cannot hold follows in the next.
    Window,
    /// At the stop, as the last event.
    Stop,
}

impl Occasion {
    /// As it is published.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Counted => "counted",
            Self::Window => "window",
            Self::Stop => "stop",
        }
    }
}

/// A member of a payload: its name and what it says.
pub type Member = (&'static str, &'static str);

macro_rules! events {
    ($($variant:ident = $name:literal $occasion:ident $summary:literal $members:expr;)+) => {
        /// Something that the sidecar records of itself.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Event {
            $(#[doc = $summary] $variant,)+
        }

        impl Event {
            /// Every event, sorted by type.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The event type.
            pub const fn event_type(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// When it is recorded.
            pub const fn occasion(self) -> Occasion {
                match self { $(Self::$variant => Occasion::$occasion,)+ }
            }

            /// What it says, in one sentence.
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary,)+ }
            }

            /// The members of its payload, sorted; all of them are always there.
            pub const fn members(self) -> &'static [Member] {
                match self { $(Self::$variant => $members,)+ }
            }
        }
    };
}

events! {
    AuthFailed = "system.sidecar.auth_failed" Counted "Requests bore no valid token." &[
        ("count", "How many since `since`."),
        ("invalid", "How many of them bore a token that is not accepted."),
        ("missing", "How many of them bore none."),
        ("peers", "Who sent them, `{count, peer}`: `tcp:` and an address, or `unix:` and a user id; at most 32."),
        ("peers_other", "How many were sent by others, or so many at once that nobody was noted."),
        ("routes", "What they asked for, `{count, route}`, as far as it was noted."),
        ("since", "When counting began: the start, or the event of this type before."),
    ];
    CheckpointsSigned = "system.sidecar.checkpoints_signed" Window "Streams have newer checkpoints: since the event of this type before, or since before the start." &[
        ("streams", "The newest of each, `{root_hash, tenant_id, tree_size}`; at most 128, by tenant."),
        ("streams_waiting", "Streams that follow in the next event."),
    ];
    ClockWentBack = "system.sidecar.clock_went_back" Counted "The system's clock went back by more than a second, or stands before what is recorded." &[
        ("behind_ms", "By how many milliseconds, at most."),
        ("count", "How often since the event of this type before."),
        ("found", "`at_start` or `while_running`."),
    ];
    ConfigChanged = "system.sidecar.config_changed" Start "The sidecar started with other settings than the time before." &[
        ("config_sha256", "SHA-256 of the settings in effect: what `GET /v1/config` gives, canonical by RFC 8785."),
        ("config_sha256_before", "The same, of the start before."),
    ];
    Reloaded = "system.sidecar.reloaded" Counted "SIGHUP: the token, the TLS files and what the control plane is asked with were read again." &[
        ("control_plane", "The last time: `replaced`, `failed`, or `absent` where none is asked."),
        ("count", "How often since the event of this type before."),
        ("failures", "Files that could not be read, all times together."),
        ("tls", "The last time: `replaced`, `failed`, or `absent` where there is no TLS."),
        ("token", "The last time: `replaced`, `unchanged`, `failed`, or `absent` where none is asked for."),
    ];
    SegmentsSealed = "system.sidecar.segments_sealed" Window "Streams have newer seals: since the event of this type before, or since before the start." &[
        ("streams", "The newest of each, `{envelope_count, reason, seal_hash, segment_id, segment_index, tenant_id}`; at most 128, by tenant."),
        ("streams_waiting", "Streams that follow in the next event."),
    ];
    SignerChanged = "system.sidecar.signer_changed" Start "The sidecar started with another signing key than the time before, or without one." &[
        ("key_id", "The key, or null."),
        ("key_id_before", "The key of the start before, or null."),
    ];
    Started = "system.sidecar.started" Start "The sidecar started." &[
        ("adopt_head", "Whether it was told to take streams without guarded heads as they are."),
        ("config_sha256", "SHA-256 of the settings in effect: what `GET /v1/config` gives, canonical by RFC 8785."),
        ("durability", "What a receipt promises: `fsync` or `process`."),
        ("key_id", "The signing key, or null."),
        ("version", "The program's version."),
    ];
    Stopped = "system.sidecar.stopped" Stop "The sidecar was told to stop; only the last seal and checkpoint of this stream follow." &[
        ("connections_cut", "Whether connections were left when their time was over."),
        ("signal", "`SIGINT` or `SIGTERM`."),
    ];
}

#[cfg(test)]
mod tests {
    use recorder_core::identity::{EventType, TenantId};
    use recorder_envelope::rotation::RotationKind;

    use super::*;

    #[test]
    fn types_are_sorted_valid_and_none_that_verifiers_take_keys_from() {
        let types: Vec<_> = Event::ALL.iter().map(|event| event.event_type()).collect();
        assert!(types.is_sorted_by(|a, b| a < b), "{types:?}");
        for event_type in types {
            assert!(
                EventType::new(event_type).is_ok() && event_type.starts_with("system.sidecar.")
            );
            assert_eq!(RotationKind::of_event(event_type), None);
        }
        assert!(TenantId::new(TENANT).is_ok());
    }

    #[test]
    fn members_are_sorted_and_explained() {
        for event in Event::ALL {
            let members = event.members();
            assert!(members.is_sorted_by(|(a, _), (b, _)| a < b), "{event:?}");
            assert!(members.iter().all(|(_, purpose)| purpose.ends_with('.')), "{event:?}");
        }
    }
}
