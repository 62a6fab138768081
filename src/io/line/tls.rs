//! TLS for lines: which server is trusted, and which certificate is shown to it.

use crate::model::link::TlsFiles;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Reads the files anew, so that a certificate that was renewed is taken without a restart.
///
/// # Errors
/// Which file is of no use, and why.
pub(super) async fn connector(files: TlsFiles) -> Result<TlsConnector, String> {
    // A disk may be slow, and others share this thread.
    spawn_blocking(move || config(&files))
        .await
        .map_err(|e| e.to_string())?
        .map(|c| TlsConnector::from(Arc::new(c)))
}

fn config(files: &TlsFiles) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.ca)? {
        roots.add(certificate).map_err(|e| format!("{}: {e}", files.ca))?;
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|e| format!("{}: no private key in it: {e}", files.key))?;
    let ours = certificates(&files.cert)?;
    ClientConfig::builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(ours, key)
        .map_err(|e| format!("{} and {} do not fit: {e}", files.cert, files.key))
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(format!("{path}: no certificate in it")),
        Ok(found) => Ok(found),
        Err(e) => Err(format!("{path}: {e}")),
    }
}

/// Speaks TLS over a connection.
///
/// # Errors
/// Why the other side is not trusted, or does not trust us.
pub(super) async fn shake_hands(
    connector: &TlsConnector,
    host: &str,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, String> {
    let name = ServerName::try_from(host.to_owned()).map_err(|e| format!("{host}: {e}"))?;
    connector.connect(name, stream).await.map_err(|e| format!("TLS: {e}"))
}
