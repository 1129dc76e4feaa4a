//! Writes HTML: markup is this program's own and known at compile time, everything else is text and escaped.
//!
//! The two cannot be confused, as they have different types. What a reader cannot see is spelled out as on a terminal.
//! Text from evidence always stands alone in an element of its own, so that none can reorder its neighbours.

use std::io::{self, Write};

use crate::escape;

/// A heading or a name in a table, and what it means where it is a word of the glossary.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a> {
    /// What is seen.
    pub(crate) text: &'a str,
    /// What is seen of it when pointed at.
    pub(crate) meaning: Option<&'a str>,
}

impl<'a> From<&'a str> for Named<'a> {
    fn from(text: &'a str) -> Self {
        Self { text, meaning: None }
    }
}

/// A page being written.
pub(crate) struct Html<'a> {
    out: &'a mut dyn Write,
}

impl<'a> Html<'a> {
    /// Writes to `out`.
    pub(crate) fn new(out: &'a mut dyn Write) -> Self {
        Self { out }
    }

    /// Markup: a literal.
    pub(crate) fn markup(&mut self, markup: &'static str) -> io::Result<()> {
        self.out.write_all(markup.as_bytes())
    }

    /// Text, whoever wrote it.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        let text = escape::line(text);
        let mut rest = text.as_ref();
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            let reference = match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            };
            self.out.write_all(&rest.as_bytes()[..at])?;
            self.out.write_all(reference.as_bytes())?;
            rest = &rest[at + 1..];
        }
        self.out.write_all(rest.as_bytes())
    }

    /// Text between two pieces of markup, and a line end.
    pub(crate) fn element(
        &mut self,
        open: &'static str,
        text: &str,
        close: &'static str,
    ) -> io::Result<()> {
        self.markup(open)?;
        self.text(text)?;
        self.markup(close)?;
        self.markup("\n")
    }

    /// A paragraph.
    pub(crate) fn paragraph(&mut self, text: &str) -> io::Result<()> {
        self.element("<p>", text, "</p>")
    }

    /// A list of sentences.
    pub(crate) fn list(&mut self, items: &[String]) -> io::Result<()> {
        self.markup("<ul>\n")?;
        for item in items {
            self.element("<li>", item, "</li>")?;
        }
        self.markup("</ul>\n")
    }

    /// The head of a table with a caption for those who hear it.
    pub(crate) fn table(&mut self, caption: &str, columns: &[Named<'_>]) -> io::Result<()> {
        self.markup("<div class=\"wide\"><table>\n")?;
        self.element("<caption>", caption, "</caption>")?;
        self.markup("<thead><tr>")?;
        for column in columns {
            self.markup("<th scope=\"col\">")?;
            self.named(column)?;
            self.markup("</th>\n")?;
        }
        self.markup("</tr></thead>\n<tbody>\n")
    }

    /// A row, of which the first cell names the others.
    pub(crate) fn row(&mut self, cells: &[&str]) -> io::Result<()> {
        match cells {
            [] => Ok(()),
            [name, rest @ ..] => self.named_row(&Named::from(*name), rest),
        }
    }

    /// A row whose name may be a word of the glossary.
    pub(crate) fn named_row(&mut self, name: &Named<'_>, cells: &[&str]) -> io::Result<()> {
        self.markup("<tr><th scope=\"row\">")?;
        self.named(name)?;
        self.markup("</th>")?;
        for cell in cells {
            self.markup("<td>")?;
            self.text(cell)?;
            self.markup("</td>")?;
        }
        self.markup("</tr>\n")
    }

    fn named(&mut self, name: &Named<'_>) -> io::Result<()> {
        let Some(meaning) = name.meaning else { return self.text(name.text) };
        self.markup("<abbr title=\"")?;
        self.text(meaning)?;
        self.markup("\">")?;
        self.text(name.text)?;
        self.markup("</abbr>")
    }

    /// The end of a table.
    pub(crate) fn end_table(&mut self) -> io::Result<()> {
        self.markup("</tbody></table></div>\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut bytes = Vec::new();
        Html::new(&mut bytes).text(text).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn text_stays_text() {
        assert_eq!(written("plain, à la carte, שלום"), "plain, à la carte, שלום");
        assert_eq!(
            written("<script>a('b')</script>"),
            "&lt;script&gt;a(&#39;b&#39;)&lt;/script&gt;"
        );
        assert_eq!(written("\" onload=x & &lt;"), "&quot; onload=x &amp; &amp;lt;");
        assert_eq!(written("evil\u{202e}fdp.exe\0\n"), "evil\\u{202e}fdp.exe\\u{0}\\u{a}");
    }
}
