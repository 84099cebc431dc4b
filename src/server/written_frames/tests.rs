use super::*;

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, 0, 0, 0, 0, 1], payload].concat()
}

#[test]
fn resets_are_counted_however_the_frames_are_split() {
    const DATA: u8 = 0;
    // Content that looks like a reset does not count.
    let inner = frame(RESET, &[0; 4]);
    let frames = [
        frame(4, &[]),
        frame(RESET, &[0, 0, 0, 8]),
        frame(DATA, &inner.repeat(50)),
        frame(DATA, &[]),
        frame(RESET, &[3; 4]),
    ];
    let bytes = frames.concat();
    for length in 1..=bytes.len() {
        let mut written = WrittenFrames::new();
        for piece in bytes.chunks(length) {
            written.add(piece);
        }
        assert_eq!(written.resets(), 2, "in pieces of {length}");
    }
}
