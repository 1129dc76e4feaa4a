//! A command as it can be pasted into a POSIX shell, whatever its words hold.

use std::ffi::OsStr;

use recorder_core::identity::is_forbidden;

/// The command in one line; `None` where a word cannot be shown so that what is seen is what is run.
pub(crate) fn line<'a>(words: impl IntoIterator<Item = &'a OsStr>) -> Option<String> {
    let words: Option<Vec<String>> = words.into_iter().map(quoted).collect();
    words.map(|words| words.join(" "))
}

fn quoted(word: &OsStr) -> Option<String> {
    let word = word.to_str().filter(|word| !word.chars().any(is_forbidden))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return Some(word.to_owned());
    }
    Some(format!("'{}'", word.replace('\'', "'\\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(words: &[&str]) -> Option<String> {
        line(words.iter().map(OsStr::new))
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_read_more_into_them() {
        assert_eq!(shown(&["verify", "a-b_c.zip"]).unwrap(), "verify a-b_c.zip");
        assert_eq!(
            shown(&["x; rm -rf ~", "it's", "$(a)", ""]).unwrap(),
            "'x; rm -rf ~' 'it'\\''s' '$(a)' ''"
        );
        assert_eq!(shown(&["evil\u{202e}piz.exe"]), None);
        assert_eq!(shown(&["two\nlines"]), None);
    }
}
