//! Which run a record belongs to, as far as it says so.

use recorder_envelope::json::ObjectWriter;

use crate::check::manifest::Manifest;
use crate::exchange::Exchange;
use crate::json::Node;

/// A run; members are `None` where nothing names them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Run {
    pub(crate) tenant_id: Option<u64>,
    pub(crate) namespace_id: Option<u64>,
    pub(crate) run_id: Option<String>,
}

impl Run {
    /// The run that a call names.
    pub(crate) fn of_exchange(exchange: &Exchange<'_>) -> Option<Self> {
        exchange.run_context().map(Self::of_node)
    }

    /// The run of a manifest.
    pub(crate) fn of_manifest(manifest: &Manifest<'_>) -> Self {
        Self {
            tenant_id: Some(manifest.tenant_id),
            namespace_id: Some(manifest.namespace_id),
            run_id: Some(manifest.run_id.clone()),
        }
    }

    /// The run that an object names.
    pub(crate) fn of_node(node: &Node<'_>) -> Self {
        Self {
            tenant_id: node.get("tenant_id").and_then(Node::integer),
            namespace_id: node.get("namespace_id").and_then(Node::integer),
            run_id: node.text_of("run_id").map(str::to_owned),
        }
    }

    /// Writes the member `run` of a key. Numbers are written as text: they may be any of 64 bits.
    pub(crate) fn write(&self, key: &mut ObjectWriter<'_>) {
        let number = |id: Option<u64>| id.map(|id| id.to_string());
        let mut object = key.object("run");
        object
            .string_or_null("namespace_id", number(self.namespace_id).as_deref())
            .string_or_null("run_id", self.run_id.as_deref())
            .string_or_null("tenant_id", number(self.tenant_id).as_deref());
        object.finish();
    }
}
