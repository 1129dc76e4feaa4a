//! Bundles over HTTP: built from a selection, verified, inspected.
//!
//! A bundle that is given away comes from a finished file, never from half of one: whoever reads an answer with
//! status 200 reads a whole bundle or notices that it is shorter than it said.

use std::io::{Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use recorder::bundle::{AnchorAt, BuildRequest, Compression, write_archive, write_document};
use recorder_envelope::selector::Selector;
use recorder_sidecar_api::media::Media;
use recorder_sidecar_api::problem::Code;
use recorder_sidecar_api::route::Operation;
use recorder_sidecar_api::wire;
use recorder_verify::archive::ReadError;
use recorder_verify::{
    Answers, Finding, Subject, Verdict, VerifyError, VerifyLimits, VerifyOptions, inspect, verify,
};
use serde::Serialize;

use crate::answer::Answer;
use crate::handle::Asked;
use crate::reading::{blocking, stream};
use crate::refusal::Refusal;
use crate::service::Service;

/// Threads that verify one bundle: requests share the machine.
const VERIFY_THREADS: usize = 2;

/// What verification found. Nobody was given to trust, so authenticity stays open.
#[derive(Serialize)]
struct Verified {
    verdict: Verdict,
    answers: Answers,
    trust_root_given: bool,
    subject: Option<Subject>,
    findings: Vec<Finding>,
    finding_count: u64,
}

/// Builds, verifies or inspects.
pub(crate) async fn answer(
    service: &Arc<Service>,
    operation: Operation,
    asked: Asked,
    body: Bytes,
) -> Result<Answer, Refusal> {
    let service = Arc::clone(service);
    blocking(move || match operation {
        Operation::BuildBundle => build(&service, &asked, &body),
        Operation::VerifyBundle => verified(&body),
        _ => inspected(&body),
    })
    .await
}

fn build(service: &Service, asked: &Asked, body: &[u8]) -> Result<Answer, Refusal> {
    let request: wire::BuildRequest<'_> = wire::read(body)?;
    let stream = stream(service, asked, request.tenant_id, &request.recorder_id)?;
    let selector = match request.selector {
        None => Selector::everything(),
        Some(text) => Selector::parse(text.get().as_bytes())
            .map_err(|error| Refusal::new(Code::SelectorInvalid, error.to_string()))?,
    };
    // What was acknowledged before the bundle was asked for is in it. Where nothing can be signed now, the newest
    // checkpoint has to do, and the bundle says how far it reaches.
    let _ = service.recorder.checkpoint(&stream.tenant_id);
    let request = BuildRequest {
        stream,
        selector,
        created_at: service.recorder.clock().now().into(),
        anchor: AnchorAt::Newest,
        compression: Compression::Stored,
        signer: service.recorder.signer(),
    };
    let failed = |error: String| Refusal::new(Code::InternalError, error);
    let spool = || recorder_fs::temp_spool(None).map_err(|error| failed(error.to_string()));
    let (mut spooled, store) = (spool()?, &**service.recorder.store());
    if asked.gives == Media::Zip {
        let mut file = spool()?;
        let built = write_archive(store, &request, &mut spooled, &mut file, &mut |_| ())?;
        file.seek(SeekFrom::Start(0)).map_err(|error| failed(error.to_string()))?;
        return Ok(Answer::file(Media::Zip.content_type(), file, built.size_bytes));
    }
    let mut document = Vec::new();
    write_document(store, &request, &mut spooled, &mut document, &mut |_| ())?;
    Ok(Answer::bytes(200, Media::Json.content_type(), document))
}

fn verified(body: &[u8]) -> Result<Answer, Refusal> {
    let options = VerifyOptions { threads: VERIFY_THREADS, ..VerifyOptions::default() };
    let report = verify(&body, &options, &mut |_| ()).map_err(unjudged)?;
    let verified = Verified {
        verdict: report.verdict(),
        answers: *report.answers(),
        trust_root_given: false,
        subject: report.subject().cloned(),
        findings: report.findings(),
        finding_count: report.finding_count(),
    };
    Ok(Answer::json(200, &verified))
}

fn inspected(body: &[u8]) -> Result<Answer, Refusal> {
    match inspect(&body, &VerifyLimits::default()) {
        Ok(inspection) => Ok(Answer::json(200, &inspection)),
        Err(ReadError::Refused(finding)) => {
            Err(Refusal::new(Code::BadRequest, format!("not a bundle: {}", finding.detail())))
        }
        Err(ReadError::Failed(error)) => Err(unjudged(error)),
    }
}

fn unjudged(error: VerifyError) -> Refusal {
    Refusal::new(Code::BadRequest, format!("the bundle cannot be judged: {error}"))
}
