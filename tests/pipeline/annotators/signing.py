"""A throw-away certificate, and real pictures signed with it by c2pa-python."""

from __future__ import annotations

import datetime
import io

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_KEY = ec.EllipticCurvePrivateKey


def signed(picture: bytes, mime: str, source_type: str) -> bytes:
    """``picture`` with a C2PA manifest: created, of the IPTC digital source type ``source_type``, by "test generator"."""
    action = {
        "action": "c2pa.created",
        "digitalSourceType": f"http://cv.iptc.org/newscodes/digitalsourcetype/{source_type}",
    }
    manifest = {
        "claim_generator_info": [{"name": "test generator", "version": "1"}],
        "format": mime,
        "assertions": [{"label": "c2pa.actions", "data": {"actions": [action]}}],
    }
    certificates, key = _chain()
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", certificates, key, None))
    out = io.BytesIO()
    with c2pa.Builder(manifest) as builder:
        builder.sign(signer, mime, io.BytesIO(picture), out)
    return out.getvalue()


def _chain() -> tuple[bytes, bytes]:
    """(PEM of a leaf and its authority, PEM of the leaf's key), with the extensions that C2PA demands."""
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    chain = [_certificate("leaf", key, authority, False), _certificate("authority", authority, authority, True)]
    pem = b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in chain)
    plain = serialization.NoEncryption()
    return pem, key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _certificate(subject: str, key: _KEY, issuer: _KEY, is_authority: bool) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    usages = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
    usages |= {"encipher_only": False, "decipher_only": False, "digital_signature": not is_authority}
    builder = x509.CertificateBuilder(
        issuer_name=_name("authority"),
        subject_name=_name(subject),
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - datetime.timedelta(days=1),
        not_valid_after=now + datetime.timedelta(days=1),
    )
    builder = builder.add_extension(x509.BasicConstraints(is_authority, None), critical=True)
    builder = builder.add_extension(x509.KeyUsage(key_cert_sign=is_authority, crl_sign=is_authority, **usages), True)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), False)
    if not is_authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
    return builder.sign(issuer, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, common), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "tests")]
    )
