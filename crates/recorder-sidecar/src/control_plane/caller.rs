//! One question to the control plane and one answer: bounded in time and size, status 200 and JSON, or no answer.
//!
//! Deliberately absent: redirects, which would take the token elsewhere; compression; cookies; and repeating what may
//! have arrived, since a question may be counted.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue,
};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use recorder_sidecar_api::control_plane::{ANSWER_BYTES_MAX, OddAnswer};
use recorder_sidecar_api::media::{self, Media};
use recorder_sidecar_config::config::ControlPlaneTls;
use recorder_sidecar_config::secret::Token;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::reach::Reach;
use crate::service::chain;

/// Questions that are under way at once; each has a connection of its own.
pub(crate) const CALLS_MAX: usize = 128;

/// How long a connection is kept that nothing is asked over: less than servers usually keep theirs, so that a question
/// seldom meets one that has just been closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Bytes of the head of an answer.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Why there is no answer. What is said to senders names nothing of the control plane's; the cause is for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("it did not answer in time")]
    TimedOut,
    #[error("it was not reached")]
    Unreached(#[source] hyper_util::client::legacy::Error),
    #[error("its answer has the status {0}")]
    Status(u16),
    #[error("its answer is not application/json")]
    MediaType,
    #[error("its answer ended early or has more than {ANSWER_BYTES_MAX} bytes")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the question could not be put")]
    Question(#[source] hyper::http::Error),
    #[error(transparent)]
    Odd(#[from] OddAnswer),
}

impl CallError {
    /// For the log: the error and its causes.
    pub(super) fn detail(&self) -> String {
        chain(self)
    }
}

/// Whom to ask and what to show.
pub(super) struct Caller {
    http: Client<HttpsConnector<Reach>, Full<Bytes>>,
    calls: Semaphore,
    base: String,
    authorization: HeaderValue,
}

impl Caller {
    /// Asks at `url` and below it.
    ///
    /// # Errors
    ///
    /// In words, for a token or settings that cannot be used.
    pub(super) fn new(
        url: &str,
        token: &Token,
        tls: Option<&ControlPlaneTls>,
    ) -> Result<Self, String> {
        let bearer = [b"Bearer ", token.expose()].concat();
        let mut authorization =
            HeaderValue::from_bytes(&bearer).map_err(|error| error.to_string())?;
        authorization.set_sensitive(true);
        let base = url.trim_end_matches('/').to_owned();
        base.parse::<Uri>().map_err(|error| format!("enterprise.control_plane_url: {error}"))?;
        let builder = HttpsConnectorBuilder::new();
        let connector = match tls {
            Some(tls) => builder.with_tls_config((*tls.client).clone()).https_only(),
            // Plain HTTP, which the settings allow to this machine only, and the connection does again.
            None => builder.with_tls_config(no_tls()?).https_or_http(),
        };
        let connector = connector.enable_http1().wrap_connector(Reach::new());
        let http = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(CALLS_MAX)
            .pool_timer(TokioTimer::new())
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .build(connector);
        Ok(Self { http, calls: Semaphore::new(CALLS_MAX), base, authorization })
    }

    /// Puts a question and takes the answer, all of it before `deadline`.
    pub(super) async fn ask(
        &self,
        path: &str,
        question: Vec<u8>,
        deadline: Instant,
    ) -> Result<Bytes, CallError> {
        let answered = async {
            // The semaphore is never closed.
            let _place = self.calls.acquire().await;
            self.send(Method::POST, path, question, true).await
        };
        tokio::time::timeout_at(deadline, answered).await.unwrap_or(Err(CallError::TimedOut))
    }

    /// Asks whether it is well: a status 200, whatever stands below it.
    pub(super) async fn probe(&self, path: &str, deadline: Instant) -> Result<(), CallError> {
        let answered = self.send(Method::GET, path, Vec::new(), false);
        let answered = tokio::time::timeout_at(deadline, answered).await;
        answered.unwrap_or(Err(CallError::TimedOut)).map(drop)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        wants_json: bool,
    ) -> Result<Bytes, CallError> {
        let mut request = Request::builder()
            .method(&method)
            .uri(format!("{}{path}", self.base))
            .header(AUTHORIZATION, self.authorization.clone());
        if method == Method::POST {
            let json = HeaderValue::from_static(Media::Json.content_type());
            request = request.header(CONTENT_TYPE, json.clone()).header(ACCEPT, json);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(CallError::Question)?;
        let answer = self.http.request(request).await.map_err(CallError::Unreached)?;
        if answer.status() != StatusCode::OK {
            return Err(CallError::Status(answer.status().as_u16()));
        }
        if wants_json && !is_json(answer.headers()) {
            return Err(CallError::MediaType);
        }
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
        Ok(body.collect().await.map_err(CallError::Body)?.to_bytes())
    }
}

/// Whether an answer is JSON as it stands, by one header that says so.
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let is_json = |value: &HeaderValue| {
        value.to_str().is_ok_and(|text| media::of_request(text, &[Media::Json]).is_some())
    };
    types.next().is_some_and(is_json)
        && types.next().is_none()
        && !headers.contains_key(CONTENT_ENCODING)
}

/// TLS that trusts nobody, where none is spoken.
fn no_tls() -> Result<tokio_rustls::rustls::ClientConfig, String> {
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring, version};
    let provider = std::sync::Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}
