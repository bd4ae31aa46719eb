"""The SFTP door: senders put their sets in and fetch their answers.

=================  ==================================================================
``server``         opens the door and closes it without losing an upload
``sockets``        which sockets the service manager opened for it
``guest``          how long a connection is kept
``admission``      how many connections there may be
``login``          who may come in
``proof``          what has been proved, and whether it still holds
``session``        the requests of a client, one channel each
``tree``           what a client sees and may do: six directories
``handles``        open files
``place``          what a path of a client means
``listing``        how files are shown
``refusal``        how trouble is told to a client
``visit``          what one connection has and how much of it it may have
``algorithms``     which keys, signatures and ciphers are good enough
``settings``       what an operator may set
=================  ==================================================================
"""
