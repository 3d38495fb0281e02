/* Looks a name up as applications do and says how it ended: found, none, again. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	struct addrinfo hints, *list;
	memset(&hints, 0, sizeof hints);
	hints.ai_socktype = SOCK_STREAM;
	if (argc != 2)
		return 2;
	int code = getaddrinfo(argv[1], NULL, &hints, &list);
	if (code == 0)
		puts("found");
	else if (code == EAI_AGAIN)
		puts("again");
	else
		puts("none");
	return 0;
}
