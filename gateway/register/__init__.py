"""The register: enterprises, the persons and technical users who act for them, and what each of them may do."""
