//! SQLCipher's cipher provider over AWS-LC.
//!
//! SQLCipher asks a provider for random bytes, AES-256 in CBC mode, HMAC and PBKDF2, and does the rest itself: the file
//! format is SQLCipher's own, so any SQLCipher with the same settings reads our files. Compiled with
//! `SQLCIPHER_CRYPTO_CUSTOM=custodia_cipher_provider_setup`, it calls [`custodia_cipher_provider_setup`] once, when SQLite
//! initialises. The layout of [`Provider`] is `struct sqlcipher_provider` of SQLCipher 4.19.
//!
//! Every function is called from C: none may unwind, so none may panic. Each checks the sizes it is given and answers
//! `SQLITE_ERROR` to anything unexpected; SQLCipher then fails the page, never writes it.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;

use aws_lc_sys as aws_lc;
use rusqlite::ffi::{SQLITE_ERROR, SQLITE_OK};

/// What `PRAGMA cipher_provider` answers for this provider.
pub(crate) const NAME: &CStr = c"aws-lc";

const CIPHER_NAME: &CStr = c"AES-256-CBC";
const KEY_BYTES: usize = 32;
const KEY_BITS: u32 = 256;
const BLOCK_BYTES: usize = 16;

/// `struct sqlcipher_provider`, field by field.
#[repr(C)]
pub(crate) struct Provider {
    init: Option<unsafe extern "C" fn() -> c_int>,
    shutdown: Option<unsafe extern "C" fn()>,
    get_provider_name: unsafe extern "C" fn(*mut c_void) -> *const c_char,
    add_random: unsafe extern "C" fn(*mut c_void, *const c_void, c_int) -> c_int,
    random: unsafe extern "C" fn(*mut c_void, *mut c_void, c_int) -> c_int,
    hmac: unsafe extern "C" fn(
        *mut c_void,
        c_int,
        *const u8,
        c_int,
        *const u8,
        c_int,
        *const u8,
        c_int,
        *mut u8,
    ) -> c_int,
    kdf: unsafe extern "C" fn(*mut c_void, c_int, *const u8, c_int, *const u8, c_int, c_int, c_int, *mut u8) -> c_int,
    cipher: unsafe extern "C" fn(*mut c_void, c_int, *const u8, c_int, *const u8, *const u8, c_int, *mut u8) -> c_int,
    get_cipher: unsafe extern "C" fn(*mut c_void) -> *const c_char,
    get_key_sz: unsafe extern "C" fn(*mut c_void) -> c_int,
    get_iv_sz: unsafe extern "C" fn(*mut c_void) -> c_int,
    get_block_sz: unsafe extern "C" fn(*mut c_void) -> c_int,
    get_hmac_sz: unsafe extern "C" fn(*mut c_void, c_int) -> c_int,
    ctx_init: unsafe extern "C" fn(*mut *mut c_void) -> c_int,
    ctx_free: unsafe extern "C" fn(*mut *mut c_void) -> c_int,
    fips_status: unsafe extern "C" fn(*mut c_void) -> c_int,
    get_provider_version: unsafe extern "C" fn(*mut c_void) -> *const c_char,
    next: *mut Provider,
}

/// Keeps the provider in the program: SQLite's object code names it, and a linker that reads archives once, in order,
/// would otherwise have passed this crate by before it learns that.
#[used]
static KEEP: unsafe extern "C" fn(*mut Provider) -> c_int = custodia_cipher_provider_setup;

/// Fills in the provider; SQLCipher calls it once, while SQLite initialises.
///
/// # Safety
/// `provider` points to memory for one `struct sqlcipher_provider`, not yet initialised.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn custodia_cipher_provider_setup(provider: *mut Provider) -> c_int {
    if provider.is_null() {
        return SQLITE_ERROR;
    }
    // SAFETY: the caller hands memory of this type; `write` reads nothing of what was there.
    unsafe {
        provider.write(Provider {
            init: None,
            shutdown: None,
            get_provider_name: provider_name,
            add_random,
            random,
            hmac,
            kdf,
            cipher,
            get_cipher: cipher_name,
            get_key_sz: key_bytes,
            get_iv_sz: block_bytes,
            get_block_sz: block_bytes,
            get_hmac_sz: hmac_bytes,
            ctx_init: context_init,
            ctx_free: context_free,
            fips_status,
            get_provider_version: provider_version,
            next: ptr::null_mut(),
        });
    }
    SQLITE_OK
}

/// The digest behind SQLCipher's algorithm number (0, 1, 2 = SHA-1, SHA-256, SHA-512, for HMAC and PBKDF2 alike).
fn digest(algorithm: c_int) -> Option<*const aws_lc::EVP_MD> {
    // SAFETY: these return pointers to static tables and take nothing.
    let digest = unsafe {
        match algorithm {
            0 => aws_lc::EVP_sha1(),
            1 => aws_lc::EVP_sha256(),
            2 => aws_lc::EVP_sha512(),
            _ => return None,
        }
    };
    Some(digest)
}

/// SQLite's code for AWS-LC's "1 is success".
fn code(answer: c_int) -> c_int {
    if answer == 1 { SQLITE_OK } else { SQLITE_ERROR }
}

unsafe extern "C" fn provider_name(_context: *mut c_void) -> *const c_char {
    NAME.as_ptr()
}

unsafe extern "C" fn provider_version(_context: *mut c_void) -> *const c_char {
    // SAFETY: a pointer to a static string; 0 is OPENSSL_VERSION.
    unsafe { aws_lc::OpenSSL_version(0) }
}

unsafe extern "C" fn cipher_name(_context: *mut c_void) -> *const c_char {
    CIPHER_NAME.as_ptr()
}

unsafe extern "C" fn key_bytes(_context: *mut c_void) -> c_int {
    KEY_BYTES as c_int
}

unsafe extern "C" fn block_bytes(_context: *mut c_void) -> c_int {
    BLOCK_BYTES as c_int
}

unsafe extern "C" fn hmac_bytes(_context: *mut c_void, algorithm: c_int) -> c_int {
    match algorithm {
        0 => 20,
        1 => 32,
        2 => 64,
        _ => 0,
    }
}

/// The provider keeps nothing per connection.
unsafe extern "C" fn context_init(_context: *mut *mut c_void) -> c_int {
    SQLITE_OK
}

unsafe extern "C" fn context_free(_context: *mut *mut c_void) -> c_int {
    SQLITE_OK
}

unsafe extern "C" fn fips_status(_context: *mut c_void) -> c_int {
    // SAFETY: takes nothing, answers whether AWS-LC runs as the validated module.
    unsafe { aws_lc::FIPS_mode() }
}

/// AWS-LC seeds itself from the operating system, so the offered bytes are not needed.
unsafe extern "C" fn add_random(_context: *mut c_void, _bytes: *const c_void, _length: c_int) -> c_int {
    SQLITE_OK
}

unsafe extern "C" fn random(_context: *mut c_void, bytes: *mut c_void, length: c_int) -> c_int {
    let Ok(length) = usize::try_from(length) else {
        return SQLITE_ERROR;
    };
    // SAFETY: the caller gives `length` writable bytes.
    code(unsafe { aws_lc::RAND_bytes(bytes.cast(), length) })
}

unsafe extern "C" fn hmac(
    _context: *mut c_void,
    algorithm: c_int,
    key: *const u8,
    key_length: c_int,
    first: *const u8,
    first_length: c_int,
    second: *const u8,
    second_length: c_int,
    out: *mut u8,
) -> c_int {
    let (Some(digest), Ok(key_length), Ok(first_length), Ok(second_length)) =
        (digest(algorithm), usize::try_from(key_length), usize::try_from(first_length), usize::try_from(second_length))
    else {
        return SQLITE_ERROR;
    };
    if first.is_null() {
        return SQLITE_ERROR;
    }
    let mut state = MaybeUninit::uninit();
    // SAFETY: `HMAC_CTX_init` makes the state valid, `HMAC_CTX_cleanup` wipes it and ends its life; in between it stays in
    // place. The caller gives the inputs with their lengths (the second may be absent) and, in `out`, room for the MAC,
    // whose length it asked of `hmac_bytes`.
    unsafe {
        let state = state.as_mut_ptr();
        aws_lc::HMAC_CTX_init(state);
        let mut answer = aws_lc::HMAC_Init_ex(state, key.cast(), key_length, digest, ptr::null_mut());
        if answer == 1 {
            answer = aws_lc::HMAC_Update(state, first, first_length);
        }
        if answer == 1 && !second.is_null() {
            answer = aws_lc::HMAC_Update(state, second, second_length);
        }
        if answer == 1 {
            answer = aws_lc::HMAC_Final(state, out, ptr::null_mut());
        }
        aws_lc::HMAC_CTX_cleanup(state);
        code(answer)
    }
}

unsafe extern "C" fn kdf(
    _context: *mut c_void,
    algorithm: c_int,
    secret: *const u8,
    secret_length: c_int,
    salt: *const u8,
    salt_length: c_int,
    iterations: c_int,
    key_length: c_int,
    key: *mut u8,
) -> c_int {
    let (Some(digest), Ok(secret_length), Ok(salt_length), Ok(iterations), Ok(key_length)) = (
        digest(algorithm),
        usize::try_from(secret_length),
        usize::try_from(salt_length),
        u32::try_from(iterations),
        usize::try_from(key_length),
    ) else {
        return SQLITE_ERROR;
    };
    // SAFETY: the caller gives the inputs with their lengths and `key_length` writable bytes.
    code(unsafe {
        aws_lc::PKCS5_PBKDF2_HMAC(secret.cast(), secret_length, salt, salt_length, iterations, digest, key_length, key)
    })
}

/// One page in or out: AES-256-CBC without padding, so the length is a multiple of the block.
unsafe extern "C" fn cipher(
    _context: *mut c_void,
    mode: c_int,
    key: *const u8,
    key_length: c_int,
    initialisation_vector: *const u8,
    input: *const u8,
    input_length: c_int,
    out: *mut u8,
) -> c_int {
    let Ok(input_length) = usize::try_from(input_length) else {
        return SQLITE_ERROR;
    };
    if usize::try_from(key_length) != Ok(KEY_BYTES) || !input_length.is_multiple_of(BLOCK_BYTES) {
        return SQLITE_ERROR;
    }
    let encrypt = match mode {
        0 => aws_lc::AES_DECRYPT,
        1 => aws_lc::AES_ENCRYPT,
        _ => return SQLITE_ERROR,
    };
    let mut schedule = MaybeUninit::<aws_lc::AES_KEY>::uninit();
    let mut vector = [0_u8; BLOCK_BYTES];
    // SAFETY: the caller gives a key of 32 bytes (checked above), a vector of one block and `input_length` bytes to read
    // and to write; input and output are the same buffer or do not overlap, which CBC in AWS-LC allows. The schedule is
    // set before it is read and wiped before it goes out of scope. The vector is copied because AWS-LC advances it in
    // place while SQLCipher stores it in the page.
    unsafe {
        ptr::copy_nonoverlapping(initialisation_vector, vector.as_mut_ptr(), BLOCK_BYTES);
        let set =
            if encrypt == aws_lc::AES_ENCRYPT { aws_lc::AES_set_encrypt_key } else { aws_lc::AES_set_decrypt_key };
        let answer = set(key, KEY_BITS, schedule.as_mut_ptr());
        if answer == 0 {
            aws_lc::AES_cbc_encrypt(input, out, input_length, schedule.as_ptr(), vector.as_mut_ptr(), encrypt);
        }
        aws_lc::OPENSSL_cleanse(schedule.as_mut_ptr().cast(), size_of::<aws_lc::AES_KEY>());
        if answer == 0 { SQLITE_OK } else { SQLITE_ERROR }
    }
}

#[cfg(test)]
mod tests;
