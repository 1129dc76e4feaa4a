//! Who sends a request, as the headers under a control plane say it: each once, each of one form, or none of it holds.
//!
//! Deliberately absent: any belief in them. Whoever bears the token says who they are; the control plane judges that.

use recorder_core::identity::TenantId;
use serde::Serialize;

use crate::header::{AUTHN_METHOD, NAMESPACE, PRINCIPAL_ID, TENANT_ID};
use crate::media::is_token;

/// Characters of a principal and of a namespace.
pub const PRINCIPAL_CHARS_MAX: usize = 256;

/// Characters of the name of a way of authentication.
pub const AUTHN_METHOD_CHARS_MAX: usize = 64;

/// Which header is not of its form. Its value is not repeated.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum IdentityError {
    /// It must be there.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// Not a tenant.
    #[error("{TENANT_ID} is not a tenant id")]
    Tenant,
    /// Not a name of one word.
    #[error("{0} is not 1 to 256 visible ASCII characters without spaces")]
    Name(&'static str),
    /// Not a token.
    #[error("{AUTHN_METHOD} is not 1 to 64 characters of a token")]
    Method,
}

/// Who sends a request.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Identity {
    tenant_id: TenantId,
    principal_id: String,
    authn_method: String,
    namespace: Option<String>,
}

impl Identity {
    /// Reads the headers; `value` gives the value of one.
    ///
    /// # Errors
    ///
    /// `IdentityError` names the first header that is missing or not of its form.
    pub fn read<'a>(
        value: impl Fn(&'static str) -> Option<&'a [u8]>,
    ) -> Result<Self, IdentityError> {
        let needed = |name| value(name).ok_or(IdentityError::Missing(name));
        let tenant_id = std::str::from_utf8(needed(TENANT_ID)?).ok();
        let tenant_id = tenant_id.and_then(|text| TenantId::new(text).ok());
        let authn_method = std::str::from_utf8(needed(AUTHN_METHOD)?).ok();
        let authn_method =
            authn_method.filter(|text| text.len() <= AUTHN_METHOD_CHARS_MAX && is_token(text));
        Ok(Self {
            tenant_id: tenant_id.ok_or(IdentityError::Tenant)?,
            principal_id: name(PRINCIPAL_ID, needed(PRINCIPAL_ID)?)?,
            authn_method: authn_method.ok_or(IdentityError::Method)?.to_owned(),
            namespace: value(NAMESPACE).map(|value| name(NAMESPACE, value)).transpose()?,
        })
    }

    /// The tenant that it acts for, and the only one.
    pub fn tenant_id(&self) -> &TenantId {
        &self.tenant_id
    }
}

fn name(header: &'static str, value: &[u8]) -> Result<String, IdentityError> {
    let is_name =
        (1..=PRINCIPAL_CHARS_MAX).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
    match std::str::from_utf8(value) {
        Ok(text) if is_name => Ok(text.to_owned()),
        _ => Err(IdentityError::Name(header)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[(&str, &str)] = &[
        (TENANT_ID, "acme"),
        (PRINCIPAL_ID, "uid=agent,ou=desk"),
        (AUTHN_METHOD, "oidc"),
        (NAMESPACE, "team/refunds"),
    ];

    fn read(headers: &[(&str, &str)]) -> Result<Identity, IdentityError> {
        let value = |name: &str| headers.iter().find(|(other, _)| *other == name);
        Identity::read(|name| value(name).map(|(_, value)| value.as_bytes()))
    }

    fn with(changed: &str, value: &str) -> Result<Identity, IdentityError> {
        let other = |(name, old)| (name, if name == changed { value } else { old });
        read(&WHOLE.iter().copied().map(other).collect::<Vec<_>>())
    }

    #[test]
    fn an_identity_is_a_tenant_a_principal_a_way_and_perhaps_a_namespace() {
        let identity = read(WHOLE).unwrap();
        assert_eq!(
            serde_json::to_string(&identity).unwrap(),
            r#"{"tenant_id":"acme","principal_id":"uid=agent,ou=desk","authn_method":"oidc","namespace":"team/refunds"}"#
        );
        assert_eq!(read(&WHOLE[..3]).unwrap().namespace, None);
        for missing in 0..3 {
            let mut headers = WHOLE.to_vec();
            let (name, _) = headers.remove(missing);
            assert_eq!(
                read(&headers).unwrap_err().to_string(),
                format!("the header {name} is missing")
            );
        }
    }

    #[test]
    fn no_header_of_another_form_is_taken() {
        for (name, _) in WHOLE {
            let long = "a".repeat(257);
            for refused in
                ["", " ", " a", "a ", "\ta", "a\u{7f}", "a\0b", "a\nb", "a\u{202e}b", &long]
            {
                assert!(with(name, refused).is_err(), "{name}: {refused:?}");
            }
        }
        for (name, refused) in [
            (PRINCIPAL_ID, "a b"),
            (PRINCIPAL_ID, "a, b"),
            (PRINCIPAL_ID, "é"),
            (NAMESPACE, "a b"),
            (AUTHN_METHOD, "o/idc"),
            (AUTHN_METHOD, "oidc,mtls"),
            (AUTHN_METHOD, &"a".repeat(65)),
        ] {
            assert!(with(name, refused).is_err(), "{name}: {refused:?}");
        }
        assert!(Identity::read(|_| Some(b"\xff")).is_err());
    }
}
