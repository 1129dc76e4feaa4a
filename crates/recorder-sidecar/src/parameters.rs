//! The query part of a target: known names, each once, percent-decoded.

use percent_encoding::percent_decode_str;
use recorder_sidecar_api::problem::Code;

use crate::refusal::Refusal;

/// Reads the parameters called `names`, in their order.
///
/// # Errors
///
/// `bad_request` for a name that is not among them, that stands twice, or whose value is not UTF-8.
pub(crate) fn read<const N: usize>(
    query: Option<&str>,
    names: [&str; N],
) -> Result<[Option<String>; N], Refusal> {
    let mut values = [const { None }; N];
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let place = names.iter().position(|known| *known == name).ok_or_else(|| {
            Refusal::new(Code::BadRequest, format!("the query takes {}", names.join(", ")))
        })?;
        let value = percent_decode_str(value).decode_utf8();
        let value = value.map_err(|_| {
            Refusal::new(Code::BadRequest, format!("{} is not UTF-8", names[place]))
        })?;
        if values[place].replace(value.into_owned()).is_some() {
            return Err(Refusal::new(Code::BadRequest, format!("{} stands twice", names[place])));
        }
    }
    Ok(values)
}

/// Reads one value.
///
/// # Errors
///
/// `bad_request` in the value's own words.
pub(crate) fn parse<T, E: std::fmt::Display>(
    name: &str,
    text: String,
    parse: impl FnOnce(String) -> Result<T, E>,
) -> Result<T, Refusal> {
    parse(text).map_err(|error| Refusal::new(Code::BadRequest, format!("{name}: {error}")))
}

/// Reads a whole number: digits, of which the first is no zero that another follows.
///
/// # Errors
///
/// `bad_request` for anything else, a sign included.
pub(crate) fn number(name: &str, text: &str) -> Result<usize, Refusal> {
    let is_plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let value = text.parse().ok().filter(|_| is_plain);
    value.ok_or_else(|| Refusal::new(Code::BadRequest, format!("{name} is not a whole number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_are_read_once_and_decoded() {
        let read =
            |query| read(Some(query), ["tenant_id", "limit"]).map_err(|refusal| refusal.code);
        assert_eq!(
            read("limit=5&tenant_id=a%20b%C3%A9"),
            Ok([Some("a bé".to_owned()), Some("5".to_owned())])
        );
        assert_eq!(read(""), Ok([None, None]));
        for refused in ["tenant=a", "limit=1&limit=1", "tenant_id=%FF", "x", "Limit=1"] {
            assert_eq!(read(refused), Err(Code::BadRequest), "{refused}");
        }
    }

    #[test]
    fn a_number_has_one_spelling() {
        let read = |text| number("limit", text).map_err(|refusal| refusal.code);
        assert_eq!((read("0"), read("70")), (Ok(0), Ok(70)));
        for refused in ["", "+7", "-1", "07", "00", "7.0", "7e1", " 7", "99999999999999999999"] {
            assert_eq!(read(refused), Err(Code::BadRequest), "{refused}");
        }
    }
}
