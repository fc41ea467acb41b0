//! TLS on the client listener.

use std::io::{Read, Write};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use crate::http::Client;
use crate::site::{Engine, Server, Site};

/// A client that trusts the authority and speaks these versions only.
pub fn trusting(
    server: &Server,
    authority: &std::path::Path,
    versions: &[&'static SupportedProtocolVersion],
) -> Client {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider().into();
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::encrypted(server.address(), config)
}

/// A greeting that offers this version at most: 2 is TLS 1.1, 3 is TLS 1.2 (RFC 5246 section 7.4.1.2).
fn greeting_of_tls_1(minor: u8) -> Vec<u8> {
    let mut hello = vec![3, minor];
    hello.extend([7; 32]);
    hello.push(0);
    // ECDHE-ECDSA and ECDHE-RSA with AES-128-GCM-SHA256, RSA with AES-128-CBC-SHA.
    hello.extend([0, 6, 0xc0, 0x2b, 0xc0, 0x2f, 0, 0x2f, 1, 0]);
    // supported_groups: x25519, secp256r1; ec_point_formats: uncompressed; signature_algorithms: ECDSA and RSA with
    // SHA-256; extended_master_secret.
    let extensions = [0, 10, 0, 6, 0, 4, 0, 29, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 6, 0, 4, 4, 3, 4, 1, 0, 23, 0, 0];
    hello.extend([0, extensions.len() as u8]);
    hello.extend(extensions);
    let mut message = vec![1, 0, 0, hello.len() as u8];
    message.extend(hello);
    let mut record = vec![22, 3, 1, 0, message.len() as u8];
    record.extend(message);
    record
}

/// What a server says to these bytes before it closes the connection.
fn said_to(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = server.client().connect().unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // It may also be cut off.
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[test]
fn a_certificate_of_its_own() {
    let site = Site::new(Engine::Sqlite).with_north();
    let server = site.serve(&["--tls", "local"]);
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    let authority = site.data().join("tls/ca.pem");
    let bearer = format!("Bearer {}", site.token("north", "ada@north.example"));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let client = trusting(&server, &authority, &[version]);
        let answer =
            client.request("GET", "/north/api/data/v9.2/WhoAmI", &[("Authorization", &bearer)], None).expect(200);
        assert!(answer.header("Strict-Transport-Security").unwrap().starts_with("max-age="));
        let context = answer.json()["@odata.context"].as_str().unwrap().to_owned();
        assert!(context.starts_with(&server.url), "{context}");
    }

    // An alert, fatal, protocol_version; the same greeting with 1.2 gets as far as the server's own.
    assert_eq!(said_to(&server, &greeting_of_tls_1(2)), [21, 3, 3, 0, 2, 2, 70]);
    assert_eq!(said_to(&server, &greeting_of_tls_1(3))[..3], [22, 3, 3]);
    // Whoever speaks HTTP without it is told so, and nothing else, whatever is asked for.
    let asked =
        format!("GET /north/api/data/v9.2/WhoAmI HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer}\r\n\r\n");
    for bytes in [asked.repeat(2), "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\na=b".to_owned()] {
        let answer = String::from_utf8(said_to(&server, bytes.as_bytes())).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("\r\nconnection: close\r\n"), "{answer}");
        assert!(
            answer.contains("This port speaks HTTPS") && answer.contains("\r\nx-content-type-options:"),
            "{answer}"
        );
        assert!(answer.matches("HTTP/1.1 ").count() == 1 && !answer.contains("UserId"), "{answer}");
    }
    // The greeting of HTTP/2 gets no frames, behind which the connection would stay.
    let answer = said_to(&server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
    assert!(!said_to(&server, b"\0GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").starts_with(b"HTTP/"));
    server.stop();

    // The authority stays the same, so that clients need it once.
    let kept = std::fs::read(&authority).unwrap();
    let server = site.serve(&["--tls", "local"]);
    assert_eq!(std::fs::read(&authority).unwrap(), kept);
    let client = trusting(&server, &authority, &[&rustls::version::TLS13]);
    client.get("/").expect(200);

    // Somebody else's certificate is not trusted.
    let other = Site::new(Engine::Sqlite);
    let foreign = other.serve(&["--tls", "local"]);
    assert!(trusting(&foreign, &authority, &[&rustls::version::TLS13]).try_request("GET", "/", &[], None).is_err());
}

#[test]
fn a_certificate_that_is_given() {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let site = Site::new(Engine::Sqlite);
    let certificate = site.write("chain.pem", &made.cert.pem());
    let key = site.write("key.pem", &made.signing_key.serialize_pem());
    let server = site.serve(&["--tls-cert", &certificate, "--tls-key", &key]);
    let client = trusting(&server, certificate.as_ref(), &[&rustls::version::TLS12, &rustls::version::TLS13]);
    client.get("/").expect(200);
    server.stop();
    assert!(!site.data().join("tls").exists());

    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let other_key = site.write("other.pem", &other.signing_key.serialize_pem());
    let empty = site.write("empty.pem", "nothing\n");
    let missing = site.beside("missing.pem").display().to_string();
    for (certificate, key, fault) in [
        (&certificate, &other_key, "do not fit together"),
        (&missing, &key, "missing.pem"),
        (&certificate, &missing, "missing.pem"),
        (&empty, &key, "holds no certificate"),
        (&certificate, &empty, "empty.pem"),
    ] {
        let line = site.refused(&["serve", "--listen", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key]);
        assert!(line.contains(fault), "{line}");
    }
}
