//! TLS of the client listener: 1.2 and 1.3 only.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::Tls;

/// Names and addresses a local certificate is for.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The configuration of a listener, or `None` for plain HTTP.
///
/// # Errors
/// Files that cannot be read or do not fit together.
pub fn server_config(tls: &Tls, folder: &Path) -> Result<Option<Arc<ServerConfig>>> {
    let (chain, key) = if tls.local {
        local_certificate(&folder.join("tls"))?
    } else if tls.cert.is_empty() {
        return Ok(None);
    } else {
        let chain = CertificateDer::pem_file_iter(&tls.cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .with_context(|| format!("the certificate {}", tls.cert))?;
        if chain.is_empty() {
            bail!("{} holds no certificate in PEM", tls.cert);
        }
        let key = PrivateKeyDer::from_pem_file(&tls.key).with_context(|| format!("the private key {}", tls.key))?;
        (chain, key)
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .context("TLS versions")?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .with_context(|| format!("the certificate {} and the key {} do not fit together", tls.cert, tls.key))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(Arc::new(config)))
}

/// A certificate for this machine, signed by an authority of its own in the folder; both are made on first use.
fn local_certificate(folder: &Path) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let (authority_path, certificate_path, key_path) =
        (folder.join("ca.pem"), folder.join("server.pem"), folder.join("server.key"));
    if !certificate_path.exists() {
        std::fs::create_dir_all(folder).with_context(|| format!("the folder {}", folder.display()))?;
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "Custodia local authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_key = KeyPair::generate()?;
        let authority_certificate = authority.self_signed(&authority_key)?;
        let mut server = CertificateParams::new(LOCAL_NAMES.map(str::to_owned).to_vec())?;
        server.distinguished_name.push(DnType::CommonName, "localhost");
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Strict clients want to see who signed.
        server.use_authority_key_identifier_extension = true;
        let server_key = KeyPair::generate()?;
        let issuer = Issuer::new(authority, authority_key);
        let certificate = server.signed_by(&server_key, &issuer)?;
        // The authority's key is not kept: nothing else can be signed with it.
        write_private(&key_path, server_key.serialize_pem().as_bytes())?;
        std::fs::write(&authority_path, authority_certificate.pem())?;
        std::fs::write(&certificate_path, certificate.pem())?;
    }
    let chain = CertificateDer::pem_file_iter(&certificate_path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("the certificate {}", certificate_path.display()))?;
    let key =
        PrivateKeyDer::from_pem_file(&key_path).with_context(|| format!("the private key {}", key_path.display()))?;
    Ok((chain, key))
}

/// Writes a file that only its owner may read.
pub fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    use std::io::Write;
    let mut options = std::fs::File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(|| format!("{} cannot be written", path.display()))?;
    file.write_all(content).with_context(|| format!("{} cannot be written", path.display()))
}
