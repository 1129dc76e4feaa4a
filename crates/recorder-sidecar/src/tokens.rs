//! Who may ask: the bearer token, and for a while after a change the one before it.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use recorder_core::hash::sha256;
use recorder_sidecar_api::header::bearer;
use recorder_sidecar_config::secret::Token;
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

/// How long the old token stays valid after a new one was read.
const OVERLAP: Duration = Duration::from_secs(600);

/// The tokens that are accepted.
pub(crate) struct Tokens(RwLock<Accepted>);

struct Accepted {
    current: Digest,
    previous: Option<(Digest, Instant)>,
}

/// Tokens are compared by their hashes, which have one length: how long the token is cannot be timed.
type Digest = [u8; 32];

impl Tokens {
    /// Accepts `token`.
    pub(crate) fn new(token: &Token) -> Self {
        let current = sha256(&[token.expose()]);
        Self(RwLock::new(Accepted { current, previous: None }))
    }

    /// Accepts `token` from now on, and the one before it for ten more minutes; says whether it is another one.
    pub(crate) fn replace(&self, token: &Token) -> bool {
        let mut accepted = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let next = sha256(&[token.expose()]);
        let is_other = next != accepted.current;
        if is_other {
            accepted.previous = Some((accepted.current, Instant::now() + OVERLAP));
            accepted.current = next;
        }
        is_other
    }

    /// Whether an `Authorization` bears one of them. Every comparison is made, whatever the first says.
    pub(crate) fn accepts(&self, authorization: &[u8]) -> bool {
        let Some(token) = bearer(authorization) else { return false };
        let given = sha256(&[token]);
        let accepted = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut is_accepted = given.ct_eq(&accepted.current);
        if let Some((previous, until)) = &accepted.previous
            && Instant::now() < *until
        {
            is_accepted |= given.ct_eq(previous);
        }
        is_accepted.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Token {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file.as_file(), text.as_bytes()).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
        Token::read(&file.path().canonicalize().unwrap()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_old_token_outlives_the_new_one_for_ten_minutes() {
        let tokens = Tokens::new(&token("old"));
        assert!(tokens.accepts(b"Bearer old"));
        for refused in [&b"Bearer ol"[..], b"Bearer oldx", b"old", b"Basic old", b"Bearer "] {
            assert!(!tokens.accepts(refused));
        }
        tokens.replace(&token("new"));
        assert!(tokens.accepts(b"Bearer new") && tokens.accepts(b"Bearer old"));
        tokio::time::advance(Duration::from_secs(601)).await;
        assert!(tokens.accepts(b"Bearer new") && !tokens.accepts(b"Bearer old"));
    }
}
