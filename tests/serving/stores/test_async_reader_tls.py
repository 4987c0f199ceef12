"""An encrypted connection to the store: a real TLS endpoint in front of a real server."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from serving.stores.errors import StoreUnavailableError
from serving.stores.redis.read.resp_client import RespClient
from serving.stores.redis.resp import pack


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of 127.0.0.1, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    start = datetime.now(UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=3))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
    writer.close()


async def echoed(store: str, certificate: Path, options: str) -> bytes:
    """Return what the store answers to an ECHO sent through TLS."""
    place = urlsplit(store)

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(place.hostname, place.port)
        await asyncio.gather(pipe(reader, inner_writer), pipe(inner_reader, writer), return_exceptions=True)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(forward, "127.0.0.1", 0, ssl=context)
    client = RespClient(f"rediss://127.0.0.1:{server.sockets[0].getsockname()[1]}/1{options}")
    try:
        return await client.execute(pack((b"ECHO", b"hidden")))
    finally:
        await client.close()
        server.close()
        await asyncio.sleep(0.05)


def test_a_server_with_a_known_certificate_is_read(valkey: str, certificate: Path) -> None:
    assert asyncio.run(echoed(valkey, certificate, f"?ssl_ca_certs={certificate}")) == b"hidden"


def test_a_server_with_an_unknown_certificate_is_refused(valkey: str, certificate: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="certificate verify failed"):
        asyncio.run(echoed(valkey, certificate, ""))
