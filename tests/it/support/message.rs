//! Reads HTTP/1 messages from raw bytes, independently of hyper.

/// The length of the head, including the empty line at its end.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map(|at| at + 4)
}

/// The first line, and all fields in their order, with names in lower case.
pub(crate) fn parse_head(head: &[u8]) -> (String, Vec<(String, String)>) {
    let text: String = head.iter().map(|byte| char::from(*byte)).collect();
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let fields = lines
        .map(|line| {
            let (name, value) = line
                .split_once(':')
                .unwrap_or_else(|| panic!("a field without a colon: {line:?}"));
            (name.to_ascii_lowercase(), value.trim().to_owned())
        })
        .collect();
    (first, fields)
}

/// All values of one field.
pub(crate) fn values<'a>(fields: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    fields
        .iter()
        .filter(|(field, _)| field == name)
        .map(|(_, value)| value.as_str())
        .collect()
}

/// Strictly decodes a chunked body (RFC 9112 section 7.1, without extensions).
///
/// Returns `Ok(None)` while the body is incomplete, and otherwise its content and its encoded length.
pub(crate) fn dechunk(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, String> {
    let mut content = Vec::new();
    let mut at = 0;
    loop {
        let Some(line) = bytes[at..].windows(2).position(|window| window == b"\r\n") else {
            return Ok(None);
        };
        let digits = std::str::from_utf8(&bytes[at..at + line]).map_err(|e| e.to_string())?;
        let size = usize::from_str_radix(digits, 16).map_err(|_| format!("size {digits:?}"))?;
        at += line + 2;
        if size == 0 {
            return trailers(bytes, at).map(|end| end.map(|end| (content, end)));
        }
        if bytes.len() < at + size + 2 {
            return Ok(None);
        }
        content.extend_from_slice(&bytes[at..at + size]);
        if &bytes[at + size..at + size + 2] != b"\r\n" {
            return Err("a chunk without a line end".to_owned());
        }
        at += size + 2;
    }
}

fn trailers(bytes: &[u8], mut at: usize) -> Result<Option<usize>, String> {
    loop {
        let Some(line) = bytes[at..].windows(2).position(|window| window == b"\r\n") else {
            return Ok(None);
        };
        if line == 0 {
            return Ok(Some(at + 2));
        }
        if !bytes[at..at + line].contains(&b':') {
            return Err("a trailer without a colon".to_owned());
        }
        at += line + 2;
    }
}
