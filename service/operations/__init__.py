"""Operations: the routes by which the service is watched."""
