"""Three small images, the same in every engine: a web server, a data base, a cache."""

from pathlib import Path

from tests.compat.pair import Daemon
from wherry.testing.images import Entry, busybox_files, folder, layer_tar

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
WEB = """#!/bin/sh
trap 'echo bye; exit 0' TERM INT
mkdir -p /www/cgi-bin
echo "page of ${TITLE:-nobody}" >/www/index.html
printf '#!/bin/sh\\nprintf "\\\\r\\\\n"\\nnc "$DB" 5432 </dev/null\\n' >/www/cgi-bin/rows
chmod +x /www/cgi-bin/rows
echo "web ${TITLE:-nobody} starts"
busybox httpd -f -p "${PORT:-80}" -h /www &
wait $!
"""
DB = """#!/bin/sh
trap 'echo bye; exit 0' TERM INT
mkdir -p "$DATA"
[ -f "$DATA/rows" ] || echo "row of ${DB_NAME:-db}" >"$DATA/rows"
[ -z "$DB_PASSWORD_FILE" ] || cat "$DB_PASSWORD_FILE" >/run/password
echo "db ${DB_NAME:-db} starts"
(sleep 0.4; touch /run/ready) &
nc -ll -p 5432 -e cat "$DATA/rows" &
wait $!
"""
CACHE = """#!/bin/sh
echo "cache starts"
exec nc -ll -p 6379 -e echo PONG
"""
IMAGES = {
    "shop-web": ("EXPOSE 80/tcp", 'CMD ["/bin/web"]', "WORKDIR /srv"),
    "shop-db": ("EXPOSE 5432", "ENV DATA=/var/lib/db", 'CMD ["/bin/db"]', "VOLUME /var/lib/db"),
    "shop-cache": ("EXPOSE 6379", 'CMD ["/bin/cache"]'),
}


def archive() -> bytes:
    """The root file system that all of them share."""
    programs = {"web": WEB, "db": DB, "cache": CACHE}
    return layer_tar(
        {
            **busybox_files(),
            "etc": folder(),
            "etc/passwd": "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n",
            "etc/group": "root:x:0:\napp:x:1000:\n",
            "run": folder(),
            "srv": folder(),
            "tmp": folder(0o1777),
            "var": folder(),
            **{f"bin/{name}": Entry(text.encode(), 0o755) for name, text in programs.items()},
        }
    )


def make(first: Daemon, *others: Daemon, at: Path) -> None:
    """Made by the first engine, and carried to the others so that ids agree."""
    (at / "shop.tar").write_bytes(archive())
    for name, changes in IMAGES.items():
        options = [word for change in (f"ENV {PATH}", *changes) for word in ("-c", change)]
        first.must("import", *options, f"{at}/shop.tar", name)
    first.must("save", "-o", f"{at}/shop-images.tar", *IMAGES)
    for other in others:
        other.must("load", "-i", f"{at}/shop-images.tar")
