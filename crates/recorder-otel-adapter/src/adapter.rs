//! The mapping as a whole: one body in, an outcome or a refusal out.

use recorder_core::identity::IdentityError;
use recorder_envelope::adapter::Outcome;

use crate::assemble::Assembler;
use crate::door::{Door, Encoding};
use crate::json;
use crate::names::Names;
use crate::protobuf;
use crate::refusal::Refusal;
use crate::render::Renderer;
use crate::screen::Screen;
use crate::settings::Settings;

/// Maps OpenTelemetry to unsealed envelopes. Holds nothing of the bodies that it mapped.
#[derive(Debug)]
pub struct Adapter {
    settings: Settings,
    names: Names,
}

impl Adapter {
    /// Takes what stays the same from body to body.
    ///
    /// # Errors
    ///
    /// None that a test has not excluded: the names of the mapping are part of the program.
    pub fn new(settings: Settings) -> Result<Self, IdentityError> {
        Ok(Self { settings, names: Names::new()? })
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Maps a body that is inflated already.
    ///
    /// The same body gives the same envelopes, byte for byte, under the same settings.
    ///
    /// # Errors
    ///
    /// `Refusal` when nothing of the body may be stored.
    pub fn map(&self, body: &[u8], encoding: Encoding, door: Door) -> Result<Outcome, Refusal> {
        let Settings { bounds, redactor, .. } = &self.settings;
        if body.len() > bounds.body_bytes_max {
            return Err(Refusal::BodyTooLarge { bytes_max: bounds.body_bytes_max });
        }
        let renderer = Renderer::new(Screen::new(redactor.begin()), bounds);
        let mut assembler = Assembler::new(&self.settings, &self.names, body);
        match encoding {
            Encoding::Json => json::walk(body, door, &self.settings, renderer, &mut assembler)?,
            Encoding::Protobuf => {
                protobuf::walk(body, door, &self.settings, renderer, &mut assembler)?
            }
        }
        Ok(assembler.finish().finish()?)
    }
}
