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
        Ok(Self {
            tenant_id: tenant(needed(TENANT_ID)?)?,
            principal_id: name(PRINCIPAL_ID, needed(PRINCIPAL_ID)?)?.to_owned(),
            authn_method: authn_method(needed(AUTHN_METHOD)?)?.to_owned(),
            namespace: namespace(value(NAMESPACE))?.map(str::to_owned),
        })
    }

    /// Looks at those headers that are there, where no identity is asked for: whoever says it in a wrong form is refused
    /// everywhere alike.
    ///
    /// # Errors
    ///
    /// `IdentityError` names the first header that is not of its form.
    pub fn check<'a>(
        value: impl Fn(&'static str) -> Option<&'a [u8]>,
    ) -> Result<(), IdentityError> {
        value(TENANT_ID).map(tenant).transpose()?;
        value(PRINCIPAL_ID).map(|value| name(PRINCIPAL_ID, value)).transpose()?;
        value(AUTHN_METHOD).map(authn_method).transpose()?;
        namespace(value(NAMESPACE)).map(drop)
    }

    /// The tenant that it acts for, and the only one.
    pub fn tenant_id(&self) -> &TenantId {
        &self.tenant_id
    }
}

fn tenant(value: &[u8]) -> Result<TenantId, IdentityError> {
    let text = std::str::from_utf8(value).ok();
    text.and_then(|text| TenantId::new(text).ok()).ok_or(IdentityError::Tenant)
}

fn authn_method(value: &[u8]) -> Result<&str, IdentityError> {
    let text = std::str::from_utf8(value).ok();
    text.filter(|text| text.len() <= AUTHN_METHOD_CHARS_MAX && is_token(text))
        .ok_or(IdentityError::Method)
}

fn namespace(value: Option<&[u8]>) -> Result<Option<&str>, IdentityError> {
    value.map(|value| name(NAMESPACE, value)).transpose()
}

fn name<'a>(header: &'static str, value: &'a [u8]) -> Result<&'a str, IdentityError> {
    let is_name =
        (1..=PRINCIPAL_CHARS_MAX).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
    match std::str::from_utf8(value) {
        Ok(text) if is_name => Ok(text),
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

    /// Reads the whole with one value changed. Nobody asks for an identity, and the same is refused.
    fn with(changed: &str, value: &str) -> Result<Identity, IdentityError> {
        let other = |(name, old)| (name, if name == changed { value } else { old });
        let outcome = read(&WHOLE.iter().copied().map(other).collect::<Vec<_>>());
        let alone = Identity::check(|name| (name == changed).then_some(value.as_bytes()));
        assert_eq!(outcome.as_ref().err(), alone.as_ref().err());
        outcome
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
