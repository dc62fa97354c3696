//! Protobuf's wire format by hand: what an honest encoder would refuse to write, and a reader that
//! goes on after a fault.

/// A message that is being written, well or badly.
#[derive(Clone, Default)]
pub struct Message(Vec<u8>);

impl Message {
    /// A varint field, stated whatever its value.
    pub fn varint(mut self, number: u64, value: u64) -> Self {
        self.0.extend(varint(number << 3));
        self.0.extend(varint(value));
        self
    }

    /// A length-delimited field.
    pub fn bytes(mut self, number: u64, value: &[u8]) -> Self {
        self.0.extend(varint(number << 3 | 2));
        self.0.extend(varint(value.len() as u64));
        self.0.extend(value);
        self
    }

    /// A message within this one.
    pub fn message(self, number: u64, value: Self) -> Self {
        self.bytes(number, &value.0)
    }

    /// Its bytes.
    pub fn done(self) -> Vec<u8> {
        self.0
    }
}

/// The shortest varint.
pub fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// The same value in one byte more than it needs.
pub fn long_varint(value: u64) -> Vec<u8> {
    let mut bytes = varint(value);
    *bytes.last_mut().unwrap() |= 0x80;
    bytes.push(0);
    bytes
}

/// One field as it stands in the bytes.
#[derive(Clone, Debug)]
pub struct Raw<'a> {
    /// The number that its tag states.
    pub number: u64,
    /// 0 for a varint, 2 for what has a length.
    pub wire_type: u64,
    /// The number of a varint, else zero.
    pub integer: u64,
    /// The content: of a varint its own bytes.
    pub value: &'a [u8],
    /// Tag, length and content.
    pub whole: &'a [u8],
    /// Whether tag, length and varint are as short as they can be.
    pub minimal: bool,
}

/// The fields up to the first byte that is none, and the rest from there on.
pub fn scan(bytes: &[u8]) -> (Vec<Raw<'_>>, &[u8]) {
    let (mut fields, mut rest) = (Vec::new(), bytes);
    while let Some((field, after)) = field(rest) {
        fields.push(field);
        rest = after;
    }
    (fields, rest)
}

fn field(bytes: &[u8]) -> Option<(Raw<'_>, &[u8])> {
    let (tag, tag_length, tag_minimal) = read_varint(bytes)?;
    let after_tag = &bytes[tag_length..];
    let (first, first_length, first_minimal) = read_varint(after_tag)?;
    let (start, length) = match tag & 7 {
        0 => (tag_length, first_length),
        2 => (tag_length + first_length, usize::try_from(first).ok()?),
        _ => return None,
    };
    let end = start.checked_add(length)?;
    let raw = Raw {
        number: tag >> 3,
        wire_type: tag & 7,
        integer: if tag & 7 == 0 { first } else { 0 },
        value: bytes.get(start..end)?,
        whole: &bytes[..end],
        minimal: tag_minimal && first_minimal,
    };
    Some((raw, &bytes[end..]))
}

/// Value, length and whether it is minimal.
pub fn read_varint(bytes: &[u8]) -> Option<(u64, usize, bool)> {
    let mut value = 0u64;
    for (position, byte) in bytes.iter().take(10).enumerate() {
        let low = u64::from(byte & 0x7f);
        if position == 9 && low > 1 {
            return None;
        }
        value |= low << (7 * position);
        if byte & 0x80 == 0 {
            return Some((value, position + 1, *byte != 0 || position == 0));
        }
    }
    None
}

/// Changes the list of fields of a message, or of a message within it: each step of `path` is a
/// field's number and which of that number is meant. The lengths around it are made to fit.
pub fn edit(bytes: &[u8], path: &[(u64, usize)], change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Vec<u8> {
    let (fields, rest) = scan(bytes);
    assert!(rest.is_empty(), "only whole messages can be edited");
    let mut pieces: Vec<Vec<u8>> = fields.iter().map(|field| field.whole.to_vec()).collect();
    match path {
        [] => change(&mut pieces),
        [(number, which), inner @ ..] => {
            let wanted = fields.iter().enumerate().filter(|(_, field)| field.number == *number);
            let (position, field) = wanted.clone().nth(*which).unwrap();
            pieces[position] = Message::default().bytes(*number, &edit(field.value, inner, change)).done();
        }
    }
    pieces.concat()
}

/// The content of a field within a message within a message.
pub fn dig<'a>(bytes: &'a [u8], path: &[(u64, usize)]) -> &'a [u8] {
    path.iter().fold(bytes, |bytes, (number, which)| {
        let (fields, _) = scan(bytes);
        let mut wanted = fields.into_iter().filter(|field| field.number == *number);
        wanted.nth(*which).unwrap().value
    })
}
