//! HTTP/2 frame by frame, so that a client can send what no library would.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Types of frames (RFC 9113 section 6).
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RESET: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GO_AWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

/// Flags.
pub const NONE: u8 = 0;
pub const END_STREAM: u8 = 1;
pub const ACKNOWLEDGED: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// The setting of the window that answers begin with.
pub const INITIAL_WINDOW: u16 = 4;

/// A frame that came.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub payload: Vec<u8>,
}

/// What the server did when it was listened to.
#[derive(Debug)]
pub enum Heard {
    Frame(Frame),
    /// It closed the connection.
    Closed,
    /// It said nothing within the time.
    Silence,
}

/// A connection.
pub struct Connection {
    pub tcp: TcpStream,
}

impl Connection {
    /// Begins with these settings.
    pub fn begin(mut tcp: TcpStream, settings: &[(u16, u32)]) -> Self {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(name, value)| name.to_be_bytes().into_iter().chain(value.to_be_bytes()))
            .collect();
        bytes.extend(frame(SETTINGS, NONE, 0, &payload));
        tcp.write_all(&bytes).unwrap();
        Self { tcp }
    }

    /// Sends bytes; `false`: the server does not take them any more.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.tcp.write_all(bytes).is_ok()
    }

    /// Waits for a frame.
    pub fn hear(&mut self, patience: Duration) -> Heard {
        self.tcp.set_read_timeout(Some(patience)).unwrap();
        let mut head = [0; 9];
        match self.tcp.read(&mut head[..1]) {
            Ok(0) => return Heard::Closed,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Heard::Silence,
            Err(_) => return Heard::Closed,
        }
        if self.tcp.read_exact(&mut head[1..]).is_err() {
            return Heard::Closed;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        if self.tcp.read_exact(&mut payload).is_err() {
            return Heard::Closed;
        }
        Heard::Frame(Frame { kind: head[3], flags: head[4], payload })
    }

    /// Listens until the server closes the connection or says that it will; how many frames of each type came.
    #[track_caller]
    pub fn until_it_goes_away(&mut self, patience: Duration) -> [usize; 16] {
        let mut came = [0; 16];
        loop {
            match self.hear(patience) {
                Heard::Closed => return came,
                Heard::Frame(frame) => {
                    came[usize::from(frame.kind & 15)] += 1;
                    if frame.kind == GO_AWAY {
                        return came;
                    }
                }
                Heard::Silence => panic!("the connection was not closed: {came:?}"),
            }
        }
    }
}

/// A frame as it goes over the wire.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A header list without compression (RFC 7541 section 6.2.2), the request's own fields first.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in
        [(":method", method), (":scheme", "http"), (":authority", "x"), (":path", path)].iter().chain(headers)
    {
        block.push(0);
        text(&mut block, name);
        text(&mut block, value);
    }
    block
}

/// A text with its length (RFC 7541 section 5.2).
pub fn text(block: &mut Vec<u8>, text: &str) {
    let mut rest = text.len();
    if rest < 127 {
        block.push(u8::try_from(rest).unwrap());
    } else {
        block.push(127);
        rest -= 127;
        while rest >= 128 {
            block.push(u8::try_from(rest % 128).unwrap() | 128);
            rest /= 128;
        }
        block.push(u8::try_from(rest).unwrap());
    }
    block.extend(text.as_bytes());
}
