//! Requests without a valid token, counted until an envelope says how many there were.
//!
//! Counts are exact; who sent them and what they asked for is kept as far as it fits.

use std::collections::BTreeMap;

use recorder_core::time::RecordedAt;
use recorder_sidecar_api::audit::PEERS_MAX;
use serde_json::{Value, json};

use super::{AuthFailure, Counts, Credential, Peer};

/// What was counted since the last envelope.
pub(super) struct Refused {
    since: RecordedAt,
    /// By credential: noted, and those that found no room as of the last envelope.
    noted: [u64; 2],
    unnoted_before: [u64; 2],
    peers: BTreeMap<Peer, u64>,
    routes: BTreeMap<&'static str, u64>,
}

/// A payload, and what it stands for.
pub(super) struct Draft {
    pub(super) payload: Value,
    pub(super) count: u64,
    pub(super) unattributed: u64,
    unnoted: [u64; 2],
}

impl Refused {
    pub(super) fn since(since: RecordedAt) -> Self {
        let (peers, routes) = (BTreeMap::new(), BTreeMap::new());
        Self { since, noted: [0; 2], unnoted_before: [0; 2], peers, routes }
    }

    pub(super) fn note(&mut self, failure: AuthFailure) {
        self.noted[failure.credential as usize] += 1;
        // Routes come from a table.
        *self.routes.entry(failure.route).or_default() += 1;
        if self.peers.len() < PEERS_MAX || self.peers.contains_key(&failure.peer) {
            *self.peers.entry(failure.peer).or_default() += 1;
        }
    }

    /// What an envelope would say now; nothing where there is nothing to say.
    pub(super) fn draft(&self, counts: &Counts) -> Option<Draft> {
        let unnoted = Credential::ALL.map(|credential| counts.unnoted(credential));
        let of = |credential: Credential| {
            let index = credential as usize;
            self.noted[index] + unnoted[index].saturating_sub(self.unnoted_before[index])
        };
        let (invalid, missing) = (of(Credential::Invalid), of(Credential::Missing));
        let count = invalid + missing;
        let unattributed = count.saturating_sub(self.peers.values().sum());
        let peers: Vec<Value> = self
            .peers
            .iter()
            .map(|(peer, count)| json!({ "count": count, "peer": peer.to_string() }))
            .collect();
        let routes: Vec<Value> = self
            .routes
            .iter()
            .map(|(route, count)| json!({ "count": count, "route": route }))
            .collect();
        let payload = json!({
            "count": count,
            "invalid": invalid,
            "missing": missing,
            "peers": peers,
            "peers_other": unattributed,
            "routes": routes,
            "since": self.since.to_string(),
        });
        (count > 0).then_some(Draft { payload, count, unattributed, unnoted })
    }

    /// Begins again after an envelope with `draft`.
    pub(super) fn recorded(&mut self, draft: &Draft, now: RecordedAt) {
        *self = Self { unnoted_before: draft.unnoted, ..Self::since(now) };
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn failure(last: u8, credential: Credential) -> AuthFailure {
        let peer = Peer::Tcp(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)));
        AuthFailure { credential, peer, route: "/v1/config" }
    }

    #[test]
    fn counts_are_exact_though_not_every_sender_is_named() {
        let counts = Counts::default();
        let now = RecordedAt::from_nanoseconds(0).unwrap();
        let mut refused = Refused::since(now);
        assert!(refused.draft(&counts).is_none());
        for number in 0..200 {
            refused.note(failure(number, Credential::Invalid));
        }
        refused.note(failure(0, Credential::Missing));
        counts.unnoted[Credential::Missing as usize]
            .fetch_add(7, std::sync::atomic::Ordering::Relaxed);
        let draft = refused.draft(&counts).unwrap();
        let payload = &draft.payload;
        assert_eq!(
            (draft.count, &payload["invalid"], &payload["missing"]),
            (208, &200.into(), &8.into())
        );
        let peers = payload["peers"].as_array().unwrap();
        assert_eq!(
            (peers.len(), &peers[0]),
            (PEERS_MAX, &json!({"count": 2, "peer": "tcp:192.0.2.0"}))
        );
        assert_eq!(payload["peers_other"], 208 - 33);
        refused.recorded(&draft, now);
        assert!(refused.draft(&counts).is_none(), "what was recorded is not recorded again");
        refused.note(failure(1, Credential::Missing));
        assert_eq!(refused.draft(&counts).unwrap().count, 1);
    }
}
