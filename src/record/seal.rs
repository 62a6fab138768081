//! The gateway's signature: Ed25519 keys, and which entries of the journal are signed over what. The only file that
//! names `ring`. Where keys lie is `io/keys`' business.
//!
//! A signed entry holds `signer`, a public key, and `signature` in its body. What is signed are the bytes of its line
//! without the 128 hexadecimal digits of the signature, so that anybody can check it with a text tool and `openssl`.

use serde_json::Value;
use std::fmt;

/// The kind of the entry that says what the journal's head is, signed.
pub const CHECKPOINT: &str = "checkpoint";

/// The kind of the entry that says which key signs from now on.
pub const KEY: &str = "key";

/// What stands before the seed in a private key (PKCS#8, RFC 8410).
const PKCS8_HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// What stands before a public key (SubjectPublicKeyInfo, RFC 8410).
const SPKI_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// Bytes of a private key's file.
pub const SECRET_BYTES: usize = 48;

/// What comes before a signature in its line.
const FIELD: &str = "\"signature\":\"";

/// Digits of a signature.
const SIGNATURE_DIGITS: usize = 128;

/// A public key, written as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key written as `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<PublicKey> {
        let mut bytes = [0u8; 32];
        unhex(text, &mut bytes)?;
        Some(PublicKey(bytes))
    }

    /// The key as `openssl` reads it.
    #[must_use]
    pub fn pem(&self) -> String {
        let der: Vec<u8> = SPKI_HEAD.iter().chain(&self.0).copied().collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", base64(&der))
    }

    /// The key out of [`PublicKey::pem`].
    #[must_use]
    pub fn from_pem(text: &str) -> Option<PublicKey> {
        let inner = text.trim().strip_prefix("-----BEGIN PUBLIC KEY-----")?;
        let inner = inner.strip_suffix("-----END PUBLIC KEY-----")?.trim();
        let der = unbase64(inner)?;
        let bytes = der.strip_prefix(&SPKI_HEAD)?.try_into().ok()?;
        Some(PublicKey(bytes))
    }

    fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, self.0)
            .verify(message, signature)
            .is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A private key.
pub struct SecretKey {
    pair: ring::signature::Ed25519KeyPair,
    pkcs8: [u8; SECRET_BYTES],
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey of {}", self.public())
    }
}

impl SecretKey {
    /// The key that grows from `seed`, which must be random.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Option<SecretKey> {
        let mut pkcs8 = [0u8; SECRET_BYTES];
        PKCS8_HEAD.iter().chain(&seed).zip(&mut pkcs8).for_each(|(from, to)| *to = *from);
        SecretKey::from_pkcs8(&pkcs8)
    }

    /// The key in a file, as [`SecretKey::pkcs8`] and `openssl` write it.
    #[must_use]
    pub fn from_pkcs8(bytes: &[u8]) -> Option<SecretKey> {
        let seed = bytes.strip_prefix(&PKCS8_HEAD)?;
        let pair = ring::signature::Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        Some(SecretKey { pair, pkcs8: bytes.try_into().ok()? })
    }

    /// The bytes of its file.
    #[must_use]
    pub const fn pkcs8(&self) -> &[u8; SECRET_BYTES] {
        &self.pkcs8
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0u8; 32];
        let public = ring::signature::KeyPair::public_key(&self.pair);
        public.as_ref().iter().zip(&mut bytes).for_each(|(from, to)| *to = *from);
        PublicKey(bytes)
    }

    /// Signs `line`, whose signature is still empty.
    #[must_use]
    pub(super) fn sign(&self, line: &str) -> String {
        let Some(at) = line.find(FIELD).and_then(|at| at.checked_add(FIELD.len())) else {
            return line.to_owned();
        };
        let (before, behind) = line.split_at(at);
        let signature = self.pair.sign(line.as_bytes());
        let digits: String = signature.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{before}{digits}{behind}")
    }
}

/// Whether `signer` has signed `line`.
#[must_use]
pub fn is_signed(line: &[u8], signer: PublicKey) -> bool {
    let signed = || {
        let field = FIELD.as_bytes();
        let at = line.windows(field.len()).position(|w| w == field)?.checked_add(field.len())?;
        let (before, rest) = line.split_at_checked(at)?;
        let (digits, behind) = rest.split_at_checked(SIGNATURE_DIGITS)?;
        let mut signature = [0u8; 64];
        unhex(std::str::from_utf8(digits).ok()?, &mut signature)?;
        Some(signer.has_signed(&[before, behind].concat(), &signature))
    };
    signed() == Some(true)
}

/// The key that says in `body` that it signed.
#[must_use]
pub fn signer(body: &Value) -> Option<PublicKey> {
    PublicKey::parse(body.get("signer")?.as_str()?)
}

/// Reads lower-case digits, and nothing else: one signature has one way of being written.
fn unhex(text: &str, bytes: &mut [u8]) -> Option<()> {
    let digits = text.as_bytes();
    if digits.len() != bytes.len().checked_mul(2)? {
        return None;
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = value(*pair.first()?)? << 4 | value(*pair.get(1)?)?;
    }
    Some(())
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, n| bits << 8 | u32::from(chunk.get(n).copied().unwrap_or(0)));
        for n in 0..4usize {
            let six = bits >> (18 - 6 * n) & 63;
            let letter = usize::try_from(six).ok().and_then(|six| ALPHABET.get(six)).copied().unwrap_or(b'=');
            text.push(if n > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

fn unbase64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for chunk in text.as_bytes().chunks(4) {
        let letters = chunk.iter().take_while(|letter| **letter != b'=').count();
        let mut bits = 0u32;
        for n in 0..4 {
            let six = match chunk.get(n).filter(|_| n < letters) {
                Some(letter) => ALPHABET.iter().position(|a| a == letter)?,
                None => 0,
            };
            bits = bits << 6 | u32::try_from(six).ok()?;
        }
        let [_, three @ ..] = bits.to_be_bytes();
        bytes.extend(three.into_iter().take(letters.checked_sub(1)?));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_of_rfc_8032_is_the_one_that_it_says() {
        let mut seed = [0u8; 32];
        unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", &mut seed).unwrap();
        let key = SecretKey::from_seed(seed).unwrap();
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(key.public().to_string(), public);
        assert_eq!(SecretKey::from_pkcs8(key.pkcs8()).unwrap().public(), key.public());
        let pem = key.public().pem();
        let expected = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        assert!(pem.contains(expected), "{pem}");
        assert_eq!(PublicKey::from_pem(&pem), Some(key.public()));
        assert_eq!(PublicKey::from_pem("no key"), None);
        assert_eq!(PublicKey::parse(&public.to_uppercase()), None, "there is one way of writing it");
    }

    #[test]
    fn every_bit_of_a_signed_line_counts() {
        let key = SecretKey::from_seed([7; 32]).unwrap();
        let line = key.sign(r#"{"body":{"a":1,"signature":"","signer":"x"},"seq":3}"#);
        assert!(is_signed(line.as_bytes(), key.public()));
        for bit in 0..line.len() * 8 {
            let mut altered = line.clone().into_bytes();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_signed(&altered, key.public()), "bit {bit}");
        }
    }
}
