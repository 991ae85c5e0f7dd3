"""Rows of the audit are only ever added: the database itself refuses the rest.

One change is let through: sealing a note anew with a newer key (its key id are bytes 2 and 3), or no key could ever
be retired. A later migration that makes the table anew on SQLite has to make these triggers anew as well.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

_SQLITE = (
    """
    CREATE TRIGGER audit_no_change BEFORE UPDATE ON audit
    WHEN (
        NEW.id IS OLD.id AND NEW.at IS OLD.at AND NEW.person_id IS OLD.person_id AND NEW.os_user IS OLD.os_user
        AND NEW.act IS OLD.act AND NEW.subject IS OLD.subject AND NEW.subject_id IS OLD.subject_id
        AND substr(NEW.note, 2, 2) > substr(OLD.note, 2, 2)
    ) IS NOT TRUE
    BEGIN SELECT RAISE(ABORT, 'rows of the audit are only ever added'); END
    """,
    """
    CREATE TRIGGER audit_no_removal BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'rows of the audit are only ever added'); END
    """,
)
_POSTGRESQL = (
    """
    CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF to_jsonb(NEW) - 'note' = to_jsonb(OLD) - 'note' AND substr(NEW.note, 2, 2) > substr(OLD.note, 2, 2) THEN
                RETURN NEW;
            END IF;
        END IF;
        RAISE EXCEPTION 'rows of the audit are only ever added';
    END $$
    """,
    "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_no_removal BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
)


def upgrade() -> None:
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_no_change")
        op.execute("DROP TRIGGER audit_no_removal")
    else:
        op.execute("DROP FUNCTION audit_refuse CASCADE")
