//! Reads the frames that a connection of HTTP/2 writes (RFC 9113 section 4.1), to count those that reset a stream.

const HEADER: usize = 9;

/// The type of `RST_STREAM`.
const RESET: u8 = 3;

/// How far the frames have been written.
#[derive(Debug)]
pub(super) struct WrittenFrames {
    /// The header of the current frame, as far as it has been written.
    header: [u8; HEADER],
    header_length: usize,
    /// What remains of the frame's payload.
    payload_left: usize,
    resets: u32,
}

impl WrittenFrames {
    pub(super) const fn new() -> Self {
        Self {
            header: [0; HEADER],
            header_length: 0,
            payload_left: 0,
            resets: 0,
        }
    }

    /// How many frames that reset a stream have been written.
    pub(super) const fn resets(&self) -> u32 {
        self.resets
    }

    /// These bytes have been written.
    pub(super) fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let length = self.payload_left.min(bytes.len());
                self.payload_left -= length;
                bytes = &bytes[length..];
                continue;
            }
            let length = (HEADER - self.header_length).min(bytes.len());
            let end = self.header_length + length;
            self.header[self.header_length..end].copy_from_slice(&bytes[..length]);
            self.header_length = end;
            bytes = &bytes[length..];
            if end == HEADER {
                let [high, middle, low, kind, ..] = self.header;
                self.header_length = 0;
                self.payload_left = u32::from_be_bytes([0, high, middle, low]) as usize;
                self.resets = self.resets.saturating_add(u32::from(kind == RESET));
            }
        }
    }
}

#[cfg(test)]
mod tests;
