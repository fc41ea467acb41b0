//! The primitives against published test vectors: a provider that is wrong in the same way when writing and reading would
//! pass every round trip and still write files that nothing else opens.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use super::*;

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<u8> = hexadecimal.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn length(slice: &[u8]) -> c_int {
    c_int::try_from(slice.len()).unwrap()
}

fn run_cipher(mode: c_int, key: &[u8], vector: &[u8], input: &[u8]) -> Result<Vec<u8>, c_int> {
    let mut out = vec![0; input.len()];
    // SAFETY: every length is the slice's own.
    let answer = unsafe {
        cipher(
            ptr::null_mut(),
            mode,
            key.as_ptr(),
            length(key),
            vector.as_ptr(),
            input.as_ptr(),
            length(input),
            out.as_mut_ptr(),
        )
    };
    if answer == SQLITE_OK { Ok(out) } else { Err(answer) }
}

fn run_hmac(algorithm: c_int, key: &[u8], first: &[u8], second: Option<&[u8]>) -> Result<Vec<u8>, c_int> {
    let mut out = vec![0; 64];
    // SAFETY: every length is the slice's own, and 64 bytes hold the longest MAC.
    let answer = unsafe {
        hmac(
            ptr::null_mut(),
            algorithm,
            key.as_ptr(),
            length(key),
            first.as_ptr(),
            length(first),
            second.map_or(ptr::null(), <[u8]>::as_ptr),
            second.map_or(0, length),
            out.as_mut_ptr(),
        )
    };
    // SAFETY: takes the number only.
    out.truncate(usize::try_from(unsafe { hmac_bytes(ptr::null_mut(), algorithm) }).unwrap());
    if answer == SQLITE_OK { Ok(out) } else { Err(answer) }
}

fn run_kdf(
    algorithm: c_int,
    secret: &[u8],
    salt: &[u8],
    iterations: c_int,
    out_length: usize,
) -> Result<Vec<u8>, c_int> {
    let mut out = vec![0; out_length];
    // SAFETY: every length is the slice's own.
    let answer = unsafe {
        kdf(
            ptr::null_mut(),
            algorithm,
            secret.as_ptr(),
            length(secret),
            salt.as_ptr(),
            length(salt),
            iterations,
            length(&out),
            out.as_mut_ptr(),
        )
    };
    if answer == SQLITE_OK { Ok(out) } else { Err(answer) }
}

/// NIST SP 800-38A, F.2.5 and F.2.6 (CBC-AES256).
#[test]
fn cbc_matches_the_nist_vectors() {
    let key = bytes("603deb1015ca71be2b73aef0857d7781 1f352c073b6108d72d9810a30914dff4");
    let vector = bytes("000102030405060708090a0b0c0d0e0f");
    let plain = bytes(
        "6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51
         30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710",
    );
    let sealed = bytes(
        "f58c4c04d6e5f1ba779eabfb5f7bfbd6 9cfc4e967edb808d679f777bc6702c7d
         39f23369a9d9bacfa530e26304231461 b2eb05e2c39be9fcda6c19078c6a9d1b",
    );
    assert_eq!(run_cipher(1, &key, &vector, &plain).unwrap(), sealed);
    assert_eq!(run_cipher(0, &key, &vector, &sealed).unwrap(), plain);
}

#[test]
fn cipher_refuses_what_it_cannot_do() {
    let key = [7; KEY_BYTES];
    let vector = [0; BLOCK_BYTES];
    assert_eq!(run_cipher(1, &key[..16], &vector, &[0; 32]), Err(SQLITE_ERROR), "a short key");
    assert_eq!(run_cipher(1, &key, &vector, &[0; 31]), Err(SQLITE_ERROR), "half a block");
    assert_eq!(run_cipher(2, &key, &vector, &[0; 32]), Err(SQLITE_ERROR), "an unknown mode");
}

#[test]
fn cipher_leaves_the_stored_vector_alone() {
    let vector = [9; BLOCK_BYTES];
    run_cipher(1, &[7; KEY_BYTES], &vector, &[0; 64]).unwrap();
    assert_eq!(vector, [9; BLOCK_BYTES]);
}

/// RFC 2202 and RFC 4231, test case 2; the data is cut in two because SQLCipher gives page and page number apart.
#[test]
fn hmac_matches_the_rfc_vectors() {
    let (key, data) = (b"Jefe", b"what do ya want for nothing?");
    let expected = [
        (0, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (1, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (
            2,
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554
             9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
    ];
    for (algorithm, mac) in expected {
        assert_eq!(run_hmac(algorithm, key, data, None).unwrap(), bytes(mac));
        assert_eq!(run_hmac(algorithm, key, &data[..9], Some(&data[9..])).unwrap(), bytes(mac));
    }
    assert_eq!(run_hmac(3, key, data, None), Err(SQLITE_ERROR));
}

/// RFC 6070, two iterations, and the values published for the same input with the other digests.
#[test]
fn key_derivation_matches_the_published_vectors() {
    let (secret, salt) = (b"password", b"salt");
    let expected = [
        (0, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"),
        (1, "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43"),
        (
            2,
            "e1d9c16aa681708a45f5c7c4e215ceb66e011a2e9f0040713f18aefdb866d53c
             f76cab2868a39b9f7840edce4fef5a82be67335c77a6068e04112754f27ccf4e",
        ),
    ];
    for (algorithm, key) in expected {
        let key = bytes(key);
        assert_eq!(run_kdf(algorithm, secret, salt, 2, key.len()).unwrap(), key);
    }
    assert_eq!(run_kdf(3, secret, salt, 2, 32), Err(SQLITE_ERROR));
    assert_eq!(run_kdf(1, secret, salt, -1, 32), Err(SQLITE_ERROR));
}

#[test]
fn random_bytes_differ() {
    let mut draws = [[0_u8; 32]; 2];
    for draw in &mut draws {
        // SAFETY: 32 writable bytes.
        assert_eq!(unsafe { random(ptr::null_mut(), draw.as_mut_ptr().cast(), 32) }, SQLITE_OK);
    }
    assert_ne!(draws[0], draws[1]);
    // SAFETY: a negative length is refused before anything is written.
    assert_eq!(unsafe { random(ptr::null_mut(), draws[0].as_mut_ptr().cast(), -1) }, SQLITE_ERROR);
}
