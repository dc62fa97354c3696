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

    /// A nested message.
    pub(crate) fn message(&mut self, number: u32, fill: impl FnOnce(&mut Writer)) {
        let mut nested = Writer::default();
        fill(&mut nested);
        self.bytes(number, &nested.into_bytes());
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
