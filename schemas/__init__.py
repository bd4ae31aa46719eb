"""The language of the network: file names, codes, message types, their schemas, validation, the XML of the answers.

A new reader starts with `schemas.filename`, goes on with `schemas.catalogue` and `schemas.validate`, and ends with
`schemas.acknowledgement`. Nothing here touches the network or keeps a state.
"""
