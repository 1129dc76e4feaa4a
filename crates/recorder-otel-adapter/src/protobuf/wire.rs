//! The wire format of protobuf, as far as splitting a message takes it: fields with a number, a type and bytes.

/// The bytes end within a field, or hold a type that no message of OTLP has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Broken;

/// What a field holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Content<'a> {
    /// A string, bytes or a message.
    Bytes(&'a [u8]),
    /// A number, which no message around records has.
    Number,
}

/// One field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Field<'a> {
    pub(super) number: u64,
    pub(super) content: Content<'a>,
}

/// The fields of a message, in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    /// The next field; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>, Broken> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let content = match key & 7 {
            0 => self.varint().map(|_| Content::Number)?,
            1 => self.take(8).map(|_| Content::Number)?,
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Broken)?;
                Content::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Content::Number)?,
            _ => return Err(Broken),
        };
        let number = key >> 3;
        if number == 0 {
            return Err(Broken);
        }
        Ok(Some(Field { number, content }))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Broken)?;
        self.0 = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, Broken> {
        let mut value = 0;
        for place in 0..10 {
            let [byte] = *self.take(1)? else { return Err(Broken) };
            value |= u64::from(byte & 0x7F) << (7 * place);
            if byte & 0x80 == 0 {
                // The tenth byte has room for one bit.
                return if place == 9 && byte > 1 { Err(Broken) } else { Ok(value) };
            }
        }
        Err(Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_split_and_what_ends_early_is_broken() {
        let message = [
            0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x25, 1, 2, 3,
            4,
        ];
        let mut fields = Fields(&message);
        let mut numbers = Vec::new();
        while let Some(field) = fields.next().unwrap() {
            numbers.push(field.number);
            if field.number == 2 {
                assert_eq!(field.content, Content::Bytes(b"hi"));
            }
        }
        assert_eq!(numbers, [1, 2, 3, 4]);
        let whole = [3, 7, 16, 21];
        for end in 1..message.len() {
            let mut fields = Fields(message.get(..end).unwrap());
            let broken = loop {
                match fields.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => break false,
                    Err(Broken) => break true,
                }
            };
            assert_eq!(broken, !whole.contains(&end), "{end}");
        }
    }

    #[test]
    fn groups_number_zero_and_endless_numbers_are_broken() {
        for message in [
            &[0x0B][..],
            &[0x0C],
            &[0x02, 0x00],
            &[0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
            &[0xFF; 11],
        ] {
            assert_eq!(Fields(message).next(), Err(Broken), "{message:?}");
        }
    }
}
