/// Writes the fields of one message. The caller goes in ascending order, as
/// [`payload!`](crate::payload!) does.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// A varint field; zero is the default and is left out.
    pub fn varint(&mut self, number: u32, value: u64) {
        if value != 0 {
            self.raw_varint(u64::from(number) << 3);
            self.raw_varint(value);
        }
    }

    /// A varint field that is stated even where it is zero, as proto2 does with `required`.
    pub(crate) fn stated_varint(&mut self, number: u32, value: u64) {
        self.raw_varint(u64::from(number) << 3);
        self.raw_varint(value);
    }

    /// A nested message. It is written where it stands, with room for the length of a short one; a longer
    /// one is moved by the bytes that its length takes more.
    pub(crate) fn message(&mut self, number: u32, fill: impl FnOnce(&mut Writer)) {
        self.raw_varint(u64::from(number) << 3 | 2);
        let start = self.bytes.len();
        self.bytes.push(0);
        fill(self);
        let length = self.bytes.len() - start - 1;
        let mut stated = Writer::default();
        match self.bytes.get_mut(start) {
            Some(room) if length < 0x80 => *room = length as u8,
            _ => {
                stated.raw_varint(length as u64);
                drop(self.bytes.splice(start..=start, stated.into_bytes()));
            }
        }
    }

    /// A length-delimited field, stated even where it is empty.
    pub fn bytes(&mut self, number: u32, value: &[u8]) {
        self.raw_varint(u64::from(number) << 3 | 2);
        self.raw_varint(value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn raw_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}
