//! One request: named, routed, authenticated, its media types agreed, governed, its body taken, admitted, answered.
//!
//! The order is the point. What costs nothing comes first; nobody without a token costs more than a look at the
//! head; a slow body holds no place; and what has been handed to the writer is awaited, whatever the clock says.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::{HeaderMap, Request, Response, StatusCode};
use recorder_core::identity::TenantId;
use recorder_otel_adapter::{Coding, Encoding, otlp};
use recorder_sidecar_api::header::{
    CORRELATION_ID, IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED, LEGACY_CORRELATION_ID,
    SERVER_CORRELATION_ID, TENANT_ID, idempotency_key, is_correlation_id,
};
use recorder_sidecar_api::identity::Identity;
use recorder_sidecar_api::media::{self, Media};
use recorder_sidecar_api::problem::{Code, Problem};
use recorder_sidecar_api::route::{Access, Method, Operation, Route};
use recorder_sidecar_config::config::{LogLevel, is_loopback};

use crate::answer::{Answer, AnswerBody};
use crate::audit::{AuthFailure, Credential, Peer};
use crate::gate::Cut;
use crate::metrics::NO_ROUTE;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::{bundles, otel, probes, reading, recording};

/// A request whose head has been agreed to.
pub(crate) struct Asked {
    /// The query part of its target, still encoded.
    pub(crate) query: Option<String>,
    /// What its sender will take.
    pub(crate) gives: Media,
    /// What its body is; none where it has none.
    pub(crate) media: Option<Media>,
    /// How its body is compressed.
    pub(crate) coding: Coding,
    /// Its idempotency key, where it needs one.
    pub(crate) key: Option<recorder_core::idempotency::IdempotencyKey>,
    /// The one tenant that it may touch; none where no control plane is asked, and it may touch all.
    pub(crate) tenant_id: Option<TenantId>,
}

impl Asked {
    /// Refuses a tenant that is not the sender's.
    pub(crate) fn check_tenant(&self, tenant_id: &TenantId) -> Result<(), Refusal> {
        match &self.tenant_id {
            Some(own) if own != tenant_id => Err(Refusal::new(
                Code::StreamMismatch,
                format!("the request is about another tenant than {TENANT_ID} names"),
            )),
            _ => Ok(()),
        }
    }
}

/// What is known of a request by the connection that it came on.
#[derive(Clone)]
pub(crate) struct Connection {
    /// Why a body ended early.
    pub(crate) cut: Cut,
    /// Whether every place was taken, so that only probes are answered.
    pub(crate) is_spare: bool,
    /// Whether a page in a browser could be made to send it, and nothing but its Host would tell.
    pub(crate) is_reachable_by_browsers: bool,
    /// Who is at its other end.
    pub(crate) peer: Peer,
}

/// The sender's name for a request, under the name of the header that it came in.
type Echo = Option<(HeaderName, HeaderValue)>;

/// Answers a request.
pub(crate) async fn handle(
    service: Arc<Service>,
    connection: Connection,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    let began = tokio::time::Instant::now();
    let id = service.correlation_id();
    let operation = Operation::find(request.method().as_str(), request.uri().path());
    let form = Form::of(&request);
    let known = operation.as_ref().ok().copied();
    let (echo, outcome) = match echo(request.headers()) {
        Ok(echo) => (echo, answer(&service, &connection, &id, operation, request).await),
        Err(refusal) => (None, Err(refusal)),
    };
    let code = outcome.as_ref().err().map(|refusal| refusal.code);
    let given_id = echo.as_ref().and_then(|(_, value)| value.to_str().ok()).map(str::to_owned);
    let mut response = respond(&id, echo, form, outcome);
    if connection.is_spare {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let status = response.status().as_u16();
    service.metrics.count(known, status, code, began);
    let level = if status >= 500 { LogLevel::Warn } else { LogLevel::Debug };
    if service.log.takes(level) {
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        service.log.write(
            level,
            "request",
            &[
                ("route", known.map_or(NO_ROUTE, |operation| operation.route().path).into()),
                ("status", status.into()),
                ("code", code.map(Code::code).into()),
                ("microseconds", micros.into()),
                ("server_correlation_id", id.into()),
                ("correlation_id", given_id.into()),
            ],
        );
    }
    Ok(response)
}

/// How a refusal is written.
#[derive(Clone, Copy)]
enum Form {
    /// RFC 9457.
    Problem,
    /// `google.rpc.Status`, which is all that exporters read.
    Status(Encoding),
}

impl Form {
    /// The form that the sender of a request can read, whatever is wrong with it.
    fn of(request: &Request<Incoming>) -> Self {
        let path = request.uri().path();
        if !Operation::ALL.iter().any(|known| known.is_otlp() && known.route().path == path) {
            return Self::Problem;
        }
        let media = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        match media.and_then(|media| media::of_request(media, &[Media::Protobuf])) {
            Some(_) => Self::Status(Encoding::Protobuf),
            None => Self::Status(Encoding::Json),
        }
    }

    /// The answer that says why a request is refused.
    fn answer(self, refusal: &Refusal, id: &str) -> Answer {
        match self {
            Self::Problem => {
                Answer::problem(&Problem::new(refusal.code, refusal.detail.clone(), id))
            }
            Self::Status(encoding) => {
                // Every OTLP route folds its statuses alike.
                let status = Operation::ExportTraces.status_of(refusal.code);
                let message = format!("{}: {}", refusal.code.code(), refusal.detail);
                let answer = otlp::failed(encoding, status, &message);
                Answer::bytes(answer.http_status, answer.content_type, answer.body)
            }
        }
    }
}

/// The sender's name for the request, if it gave one.
fn echo(headers: &HeaderMap) -> Result<Echo, Refusal> {
    let value =
        |name: &'static str| headers.get(name).map(|value| (HeaderName::from_static(name), value));
    let (current, legacy) = (value(CORRELATION_ID), value(LEGACY_CORRELATION_ID));
    if let (Some((_, current)), Some((_, legacy))) = (&current, &legacy)
        && current != legacy
    {
        return Err(Refusal::new(Code::BadRequest, "x-correlation-id and x-request-id differ"));
    }
    let Some((name, value)) = current.or(legacy) else { return Ok(None) };
    match value.to_str().is_ok_and(is_correlation_id) {
        true => Ok(Some((name, value.clone()))),
        false => {
            let detail = format!("{name} is not 1 to 128 characters of a token");
            Err(Refusal::new(Code::BadRequest, detail))
        }
    }
}

async fn answer(
    service: &Arc<Service>,
    connection: &Connection,
    id: &str,
    operation: Result<Operation, Vec<Method>>,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let operation = operation.map_err(|methods| no_route(&methods))?;
    let route = operation.route();
    check_query(operation, request.uri().query())?;
    if route.access == Access::Probe {
        agree(operation, &request)?;
        return probes::answer(service, operation).await;
    }
    if connection.is_spare {
        return Err(Refusal::new(Code::QueueFull, "every connection is taken"));
    }
    if connection.is_reachable_by_browsers {
        check_host(request.headers())?;
    }
    authenticate(service, connection.peer, route.path, request.headers())?;
    otel::check_open(service, operation)?;
    let mut asked = agree(operation, &request)?;
    let Some(plane) = service.control_plane.as_ref().filter(|_| operation.is_governed()) else {
        if operation.is_governed() {
            check_identity(request.headers())?;
        }
        return work(service, &connection.cut, operation, asked, request).await;
    };
    let governed = plane.govern(operation, id, request.headers())?;
    asked.tenant_id = Some(governed.tenant_id().clone());
    let (service, cut) = (Arc::clone(service), Arc::clone(&connection.cut));
    governed.through(async move { work(&service, &cut, operation, asked, request).await }).await
}

/// Takes the body and does what is asked.
async fn work(
    service: &Arc<Service>,
    cut: &Cut,
    operation: Operation,
    asked: Asked,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let mut held = service.admission.hold();
    let body = match operation.route().takes.is_empty() {
        true => Bytes::new(),
        false => take_body(service, cut, request, &mut held).await?,
    };
    // Counts are given where nothing else is: whoever watches has to see why.
    let _place = match operation {
        Operation::Metrics => None,
        _ => Some(service.admission.enter().await?),
    };
    match operation {
        Operation::RecordEnvelope | Operation::RecordWithAttachments | Operation::RecordBatch => {
            recording::answer(service, operation, &asked, body).await
        }
        Operation::BuildBundle | Operation::VerifyBundle | Operation::InspectBundle => {
            bundles::answer(service, operation, asked, body).await
        }
        Operation::IngestOtel | Operation::ExportTraces | Operation::ExportLogs => {
            otel::answer(service, operation, &asked, body, &mut held).await
        }
        _ => reading::answer(service, operation, asked, body).await,
    }
}

fn no_route(methods: &[Method]) -> Refusal {
    if methods.is_empty() {
        return Refusal::new(Code::NotFound, "there is no such path");
    }
    let names: Vec<_> = methods.iter().map(|method| method.name()).collect();
    let allow = names.join(", ");
    let detail = format!("the path takes {allow}");
    Refusal { allow: Some(allow), ..Refusal::new(Code::MethodNotAllowed, detail) }
}

/// Refuses headers of identity that are not of their form, though nobody asks for them.
fn check_identity(headers: &HeaderMap) -> Result<(), Refusal> {
    Identity::check(|name| headers.get(name).map(HeaderValue::as_bytes))
        .map_err(|error| Refusal::new(Code::IdentityInvalid, error.to_string()))
}

/// Refuses a query where none is read: whoever sent it meant something by it.
fn check_query(operation: Operation, query: Option<&str>) -> Result<(), Refusal> {
    match operation.parameters().is_empty() && query.is_some_and(|query| !query.is_empty()) {
        true => Err(Refusal::new(Code::BadRequest, "the path takes no query")),
        false => Ok(()),
    }
}

/// Refuses a Host that is a name which somebody else could have pointed at this machine.
fn check_host(headers: &HeaderMap) -> Result<(), Refusal> {
    let host = headers.get(hyper::header::HOST).and_then(|host| host.to_str().ok());
    match host.is_some_and(names_this_machine) {
        true => Ok(()),
        false => {
            Err(Refusal::new(Code::BadRequest, "Host must be a loopback address or localhost"))
        }
    }
}

fn names_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(is_loopback)
}

fn authenticate(
    service: &Service,
    peer: Peer,
    route: &'static str,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    let Some(tokens) = &service.tokens else { return Ok(()) };
    let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    if given.is_some_and(|given| tokens.accepts(given)) {
        return Ok(());
    }
    let credential = if given.is_some() { Credential::Invalid } else { Credential::Missing };
    service.audit.auth_failed(AuthFailure { credential, peer, route });
    Err(Refusal::new(Code::Unauthorized, "a valid bearer token is needed"))
}

/// Checks what the head says of the body and of the answer.
fn agree(operation: Operation, request: &Request<Incoming>) -> Result<Asked, Refusal> {
    let (route, headers) = (operation.route(), request.headers());
    let mut media = None;
    let mut coding = Coding::Identity;
    if route.takes.is_empty() {
        let has_body = headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
            || headers.contains_key(hyper::header::TRANSFER_ENCODING);
        if has_body {
            return Err(Refusal::new(Code::BadRequest, "the path takes no body"));
        }
    } else {
        media = Some(media_of(&route, headers)?);
        coding = coding_of(operation, headers)?;
    }
    // On OTLP the answer is of the type of the request.
    let gives = match media.as_slice() {
        same if operation.is_otlp() => same,
        _ => route.gives,
    };
    let Some(gives) = media::accepted(text(headers, &ACCEPT)?, gives) else {
        let detail = format!("the answer is {}", essences(gives));
        return Err(Refusal::new(Code::NotAcceptable, detail));
    };
    let key = match operation.needs_key() {
        true => Some(key_of(headers)?),
        false => None,
    };
    let query = request.uri().query().map(str::to_owned);
    Ok(Asked { query, gives, media, coding, key, tenant_id: None })
}

/// The value of a header, which must be ASCII.
fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Refusal> {
    match headers.get(name).map(HeaderValue::to_str) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text)),
        Some(Err(_)) => Err(Refusal::new(Code::BadRequest, format!("{name} is not ASCII"))),
    }
}

fn essences(media: &[Media]) -> String {
    let all: Vec<_> = media.iter().map(|media| media.essence()).collect();
    all.join(" or ")
}

fn media_of(route: &Route, headers: &HeaderMap) -> Result<Media, Refusal> {
    let given = text(headers, &CONTENT_TYPE)?;
    given.and_then(|given| media::of_request(given, route.takes)).ok_or_else(|| {
        let detail = format!("the body must be {}", essences(route.takes));
        Refusal::new(Code::UnsupportedMediaType, detail)
    })
}

fn coding_of(operation: Operation, headers: &HeaderMap) -> Result<Coding, Refusal> {
    let Some(given) = text(headers, &CONTENT_ENCODING)? else { return Ok(Coding::Identity) };
    match Coding::from_header(given)? {
        Coding::Gzip if !operation.is_otlp() => {
            let detail = "the body must not have a Content-Encoding";
            Err(Refusal::new(Code::UnsupportedMediaType, detail))
        }
        coding => Ok(coding),
    }
}

fn key_of(headers: &HeaderMap) -> Result<recorder_core::idempotency::IdempotencyKey, Refusal> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        let detail = "the path records and needs the header Idempotency-Key";
        return Err(Refusal::new(Code::IdempotencyKeyRequired, detail));
    };
    let key = value.to_str().ok().and_then(|value| idempotency_key(value).ok());
    key.ok_or_else(|| {
        let detail = "Idempotency-Key is not 1 to 128 visible ASCII characters, bare or quoted";
        Refusal::new(Code::IdempotencyKeyInvalid, detail)
    })
}

/// Takes the body, bounded by what it claims and by what it is.
async fn take_body(
    service: &Service,
    cut: &Cut,
    request: Request<Incoming>,
    held: &mut crate::admission::Held<'_>,
) -> Result<Bytes, Refusal> {
    let bytes_max = service.config.limits().max_body_bytes;
    let too_large = || {
        let detail = format!("the body has more than {bytes_max} bytes");
        Refusal::new(Code::PayloadTooLarge, detail)
    };
    let claimed = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let claimed = claimed.and_then(|length| length.parse::<usize>().ok());
    if claimed.is_some_and(|claimed| claimed > bytes_max) {
        return Err(too_large());
    }
    let mut body = request.into_body();
    let mut whole: Vec<u8> = Vec::new();
    let mut only = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| match cut.get() {
            Some(cut) => Refusal::new(cut.code, cut.detail),
            // The sender went away, and will not read this.
            None => Refusal::new(Code::BadRequest, "the body ended early"),
        })?;
        let Ok(data) = frame.into_data() else { continue };
        held.grow(data.len())?;
        if whole.len() + only.as_ref().map_or(0, Bytes::len) + data.len() > bytes_max {
            return Err(too_large());
        }
        // Most bodies come in one piece, which is not copied.
        match only.take() {
            None if whole.is_empty() => only = Some(data),
            first => {
                whole.extend_from_slice(&first.unwrap_or_default());
                whole.extend_from_slice(&data);
            }
        }
    }
    Ok(only.unwrap_or_else(|| Bytes::from(whole)))
}

fn respond(
    id: &str,
    echo: Echo,
    form: Form,
    outcome: Result<Answer, Refusal>,
) -> Response<AnswerBody> {
    let (answer, refusal) = match outcome {
        Ok(answer) => (answer, None),
        Err(refusal) => (form.answer(&refusal, id), Some(refusal)),
    };
    let mut response = Response::new(answer.body);
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let is_unavailable = answer.status == 503 && matches!(form, Form::Status(_));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static(SERVER_CORRELATION_ID), id);
    }
    if let Some((name, value)) = echo {
        headers.insert(name, value);
    }
    if answer.is_replay {
        let name = HeaderName::from_static(IDEMPOTENCY_REPLAYED);
        headers.insert(name, HeaderValue::from_static("true"));
    }
    if let Some(refusal) = refusal {
        add_refusal_headers(headers, &refusal);
    }
    if is_unavailable {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn add_refusal_headers(headers: &mut HeaderMap, refusal: &Refusal) {
    if refusal.code == Code::Unauthorized {
        let challenge = HeaderValue::from_static("Bearer realm=\"recorder\"");
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if refusal.code.is_retryable() || refusal.code.status() == 429 {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if let Some(allow) =
        refusal.allow.as_deref().and_then(|allow| HeaderValue::from_str(allow).ok())
    {
        headers.insert(ALLOW, allow);
    }
    if matches!(refusal.code, Code::PayloadTooLarge | Code::RequestTimeout) {
        // The rest of the body is not read.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

#[cfg(test)]
mod tests {
    use super::names_this_machine;

    #[test]
    fn a_host_names_this_machine_by_a_loopback_address_or_localhost() {
        for near in
            ["localhost", "LOCALHOST:8787", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8787"]
        {
            assert!(names_this_machine(near), "{near}");
        }
        for far in [
            "example.org",
            "localhost.example.org",
            "127.0.0.1.example.org:80",
            "192.0.2.1",
            "[2001:db8::1]",
            "",
        ] {
            assert!(!names_this_machine(far), "{far}");
        }
    }
}
